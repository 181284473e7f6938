// grovectl: the command line of Grove's control plane.

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/app.h"

namespace {

std::optional<size_t> TerminalColumns() {
  if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
  return size.ws_col;
}

std::optional<std::string> Environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  grove::client::cli::Shell shell{
      .in_fd = STDIN_FILENO,
      .out = std::cout,
      .err = std::cerr,
      .in_is_terminal = isatty(STDIN_FILENO) != 0,
      .out_is_terminal = isatty(STDOUT_FILENO) != 0,
      .err_is_terminal = isatty(STDERR_FILENO) != 0,
      .columns = TerminalColumns(),
      .environment = Environment,
  };
  return grove::client::cli::RunApp(std::vector<std::string>(argv + 1, argv + argc), shell);
}
