#include "server/test_kit/daemon_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/hub/check.h"
#include "runtime/switch/errno_status.h"

namespace grove::test_kit {
namespace {

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// This process's environment, with these in the place of those of the same names.
std::vector<std::string> With(std::vector<std::string> variables) {
  const size_t own = variables.size();
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string variable = *each;
    const std::string name = variable.substr(0, variable.find('=') + 1);
    const bool is_set = std::any_of(variables.begin(), variables.begin() + own,
                                    [&](const std::string& one) { return one.starts_with(name); });
    if (!is_set) variables.push_back(variable);
  }
  return variables;
}

// In the child, where other threads' locks may be held for ever: system calls alone.
[[noreturn]] void Become(char* const* command, char* const* environment, int log, int failure,
                         pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it has died before that
  setsid();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  syscall(SYS_close_range, 3, ~0u, 1u << 2);  // CLOSE_RANGE_CLOEXEC
  execve(command[0], command, environment);
  const int error = errno;
  (void)!write(failure, &error, sizeof(error));
  _exit(127);
}

// Of a line of /proc/PID/stat: its session, and whether it lives.
bool LivesIn(pid_t session, const std::string& stat) {
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields(stat.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0, group = 0, its_session = 0;
  fields >> state >> parent >> group >> its_session;
  return its_session == session && state != 'Z' && state != 'X';
}

// As poll(2) has it, rounded up; -1: no end.
int MillisUntil(absl::Time end) {
  if (end == absl::InfiniteFuture()) return -1;
  const absl::Duration left = std::min(end - absl::Now(), absl::Hours(24));
  return static_cast<int>(std::max<int64_t>(0, absl::ToInt64Milliseconds(left) + 1));
}

// Until the process has ended, or the time is over: whether it has.
bool AwaitGone(int pidfd, absl::Time end) {
  pollfd ended{pidfd, POLLIN, 0};
  while (true) {
    const int ready = poll(&ended, 1, MillisUntil(end));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

}  // namespace

absl::Status DaemonProcess::Start(const std::vector<std::string>& command,
                                  const std::vector<std::string>& environment,
                                  const std::string& log_path) {
  GROVE_CHECK(!running(), "it runs");
  Kill();  // what is left of the one before
  const OwnedFd log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) return ErrnoStatus(errno, absl::StrCat("open ", log_path));
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  const OwnedFd failure(pipe_fds[0]);
  struct stat before;
  if (fstat(log.get(), &before) == 0) log_start_ = static_cast<size_t>(before.st_size);
  log_path_ = log_path;
  const std::vector<std::string> variables = With(environment);
  const std::vector<char*> words = Pointers(command);
  const std::vector<char*> all = Pointers(variables);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(words.data(), all.data(), log.get(), pipe_fds[1], parent);
  close(pipe_fds[1]);
  if (pid < 0) return ErrnoStatus(errno, "fork");
  pid_ = session_ = pid;
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  GROVE_CHECK(pidfd_ >= 0, "pidfd_open of a child");
  int error = 0;
  if (read(failure.get(), &error, sizeof(error)) == sizeof(error)) {
    Reap();
    return ErrnoStatus(error, absl::StrCat("start ", command[0]));
  }
  return absl::OkStatus();
}

absl::Status DaemonProcess::AwaitLog(const std::function<bool(std::string_view log)>& seen,
                                     absl::Duration at_most) {
  const absl::Time end = absl::Now() + at_most;
  const OwnedFd changes(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify_add_watch(changes.get(), log_path_.c_str(), IN_MODIFY) < 0) {
    return ErrnoStatus(errno, absl::StrCat("inotify_add_watch ", log_path_));
  }
  while (true) {
    if (seen(Log())) return absl::OkStatus();
    if (!running()) return absl::FailedPreconditionError("it does not run");
    pollfd events[] = {{changes.get(), POLLIN, 0}, {pidfd_, POLLIN, 0}};
    const int ready = poll(events, 2, MillisUntil(end));
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
    if (ready == 0) return absl::DeadlineExceededError("the log does not say it in time");
    if (ready > 0 && events[1].revents != 0) {
      Reap();
      return absl::FailedPreconditionError(absl::StrCat("it has ended with ", exit_code_));
    }
    char drained[4096];
    while (read(changes.get(), drained, sizeof(drained)) > 0) {
    }
  }
}

absl::StatusOr<int> DaemonProcess::AwaitEnd(absl::Duration at_most) {
  if (running()) {
    if (!AwaitGone(pidfd_, absl::Now() + at_most)) {
      return absl::DeadlineExceededError("it still runs");
    }
    Reap();
  }
  return exit_code_;
}

void DaemonProcess::Reap() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  close(pidfd_);
  pidfd_ = -1;
}

void DaemonProcess::Signal(int number) {
  if (running()) kill(pid_, number);
}

void DaemonProcess::Kill() {
  if (session_ < 0) return;
  // The group first, at one blow, as a power cut ends it.
  if (running()) {
    kill(-pid_, SIGKILL);
    AwaitGone(pidfd_, absl::InfiniteFuture());
    Reap();
  }
  for (std::vector<pid_t> left = Session(); !left.empty(); left = Session()) {
    for (const pid_t each : left) {
      const OwnedFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, each, 0)));
      if (pidfd.get() < 0) continue;  // it is gone
      kill(each, SIGKILL);
      AwaitGone(pidfd.get(), absl::InfiniteFuture());
    }
  }
  session_ = -1;
}

std::vector<pid_t> DaemonProcess::Session() const {
  std::vector<pid_t> found;
  if (session_ < 0) return found;
  DIR* const processes = opendir("/proc");
  if (processes == nullptr) return found;
  while (const dirent* entry = readdir(processes)) {
    const pid_t pid = static_cast<pid_t>(atoi(entry->d_name));
    if (pid <= 0) continue;
    std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
    const std::string stat((std::istreambuf_iterator<char>(file)), {});
    if (LivesIn(session_, stat)) found.push_back(pid);
  }
  closedir(processes);
  return found;
}

std::string DaemonProcess::Log() const {
  std::ifstream file(log_path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(log_start_));
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

}  // namespace grove::test_kit
