#include "server/process/control_arguments.h"

#include <fcntl.h>

#include <string_view>

#include "runtime/switch/abseil_text.h"

namespace grove::process {
namespace {

// The one list that both directions walk.
constexpr struct {
  std::string_view prefix;
  int ControlDescriptors::*fd;
} kArguments[] = {{"--config_fd=", &ControlDescriptors::config_fd},
                  {"--scoreboard_fd=", &ControlDescriptors::scoreboard_fd},
                  {"--lifeline_fd=", &ControlDescriptors::lifeline_fd},
                  {"--ready_fd=", &ControlDescriptors::ready_fd},
                  {"--volatile_tasks_fd=", &ControlDescriptors::volatile_tasks_fd},
                  {"--command_fd=", &ControlDescriptors::command_fd}};

bool IsOpen(int fd) {
  return fd >= 0 && fcntl(fd, F_GETFD) != -1;
}

// Whether `text` is one of kArguments with an open descriptor.
bool ParseOne(std::string_view text, ControlDescriptors& descriptors) {
  for (const auto& argument : kArguments) {
    std::string_view value = text;
    if (!ConsumePrefix(&value, argument.prefix)) continue;
    int& fd = descriptors.*argument.fd;
    return SimpleAtoi(value, &fd) && IsOpen(fd);
  }
  return false;
}

}  // namespace

std::vector<std::string> FormatControlArguments(const ControlDescriptors& descriptors) {
  std::vector<std::string> formatted;
  for (const auto& argument : kArguments) {
    formatted.push_back(StrCat(argument.prefix, descriptors.*argument.fd));
  }
  return formatted;
}

absl::StatusOr<ControlDescriptors> ParseControlArguments(int argc, const char* const* argv) {
  ControlDescriptors descriptors;
  for (int i = 1; i < argc; ++i) {
    if (!ParseOne(argv[i], descriptors)) {
      return absl::InvalidArgumentError(StrCat("bad argument '", argv[i], "'"));
    }
  }
  for (const auto& argument : kArguments) {
    const int fd = descriptors.*argument.fd;
    if (fd < 0) return absl::InvalidArgumentError(StrCat(argument.prefix, "N is missing"));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return descriptors;
}

}  // namespace grove::process
