#include "server/supervisor/process_facts.h"

#include <sys/wait.h>

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "server/config/cgroup.h"

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

int64_t OutOfMemoryKills() {
  for (const config::CgroupFolder& folder : config::CgroupFolders("memory", "")) {
    std::ifstream events(folder.path + (folder.v2 ? "/memory.events" : "/memory.oom_control"));
    std::string name;
    for (int64_t count = 0; events >> name >> count;) {
      // Of the process's own folder, which is the first: those above have others' deaths too.
      if (name == "oom_kill") return count;
    }
  }
  return 0;
}

}  // namespace grove::supervisor
