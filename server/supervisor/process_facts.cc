#include "server/supervisor/process_facts.h"

#include <sys/wait.h>

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace grove::supervisor {

std::string DescribeEnd(int wait_status) {
  if (WIFEXITED(wait_status)) return absl::StrCat("exit code ", WEXITSTATUS(wait_status));
  if (!WIFSIGNALED(wait_status)) return absl::StrCat("wait status ", wait_status);
  return absl::StrCat("signal ", WTERMSIG(wait_status), " (", strsignal(WTERMSIG(wait_status)),
                      ")");
}

std::string DescribeState(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("State:\t")) return line.substr(7);
  }
  return "gone";
}

}  // namespace grove::supervisor
