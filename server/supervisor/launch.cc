#include "server/supervisor/launch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/log.h"
#include "server/process/exit_code.h"

namespace grove::supervisor {
namespace {

// In the child. A parent that died before the call is seen by its successor's pid.
void DieWithParent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent) _exit(process::kExitCrash);
}

[[noreturn]] void ExecControl(const std::string& program, int program_fd,
                              const std::vector<std::string>& arguments,
                              const std::vector<int>& inherited, const sigset_t& mask) {
  for (const int fd : inherited) fcntl(fd, F_SETFD, 0);
  // A terminal's ^C goes to every process of its group; only the supervisor decides on it.
  signal(SIGINT, SIG_IGN);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  // Without the folder: this is what ps(1) shows.
  char name[] = "grove-control";
  std::vector<char*> argv = {name};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  if (program_fd >= 0) fexecve(program_fd, argv.data(), environ);
  execv(program.c_str(), argv.data());
  Log(LogLevel::kError, "cannot run grove-control",
      {{"program", program}, {"error", strerror(errno)}});
  _exit(process::kExitCannotRun);
}

}  // namespace

absl::Status CheckSingleThreaded() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::string_view rest = line;
    if (!ConsumePrefix(&rest, "Threads:")) continue;
    int threads = 0;
    if (SimpleAtoi(rest, &threads) && threads == 1) return absl::OkStatus();
    return absl::FailedPreconditionError(
        StrCat("the supervisor has", rest,
               " threads, but may fork only with one: start threads in functions, handlers "
               "or factories, not before grove::Main"));
  }
  return absl::FailedPreconditionError("cannot read the number of threads in /proc/self/status");
}

absl::StatusOr<pid_t> ForkWorker(absl::FunctionRef<int()> body) {
  if (absl::Status status = CheckSingleThreaded(); !status.ok()) return status;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork");
  if (pid > 0) return pid;
  DieWithParent(parent);
  // Not exit(): what the parent registered to run at its end is the parent's.
  _exit(body());
}

absl::StatusOr<pid_t> StartControl(const std::string& program, int program_fd,
                                   const std::vector<std::string>& arguments,
                                   const std::vector<int>& inherited, const sigset_t& mask) {
  if (absl::Status status = CheckSingleThreaded(); !status.ok()) return status;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork");
  if (pid > 0) return pid;
  DieWithParent(parent);
  ExecControl(program, program_fd, arguments, inherited, mask);
}

}  // namespace grove::supervisor
