#include "server/supervisor/trial.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/log.h"
#include "server/process/exit_code.h"
#include "server/supervisor/handover.h"
#include "server/supervisor/launch.h"
#include "server/supervisor/process_facts.h"

namespace grove::supervisor {
namespace {

// Of its standard output; the answer is a line.
constexpr size_t kAnswerMax = 4096;

struct Pipe {
  int read = -1;
  int write = -1;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return ErrnoStatus(errno, "pipe2");
  // The program's end blocks, as whoever writes to a standard output expects.
  fcntl(fds[1], F_SETFL, 0);
  return Pipe{fds[0], fds[1]};
}

void Close(int& fd) {
  if (fd >= 0) close(std::exchange(fd, -1));
}

absl::Status CheckProgram(const std::string& program) {
  struct stat status;
  if (stat(program.c_str(), &status) != 0) {
    return ErrnoStatus(errno, StrCat("cannot upgrade to ", program));
  }
  if (S_ISREG(status.st_mode) && access(program.c_str(), X_OK) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(
      StrCat("cannot upgrade to ", program, ": it is not an executable file"));
}

// In the child. A group of its own: what it starts ends with it.
[[noreturn]] void Exec(const std::string& program, std::vector<std::string> arguments,
                       int handover_fd, int words, int answer, const sigset_t& mask) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  arguments.emplace_back("--check");
  arguments.push_back(StrCat(kHandoverFlag, handover_fd));
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& each : arguments) argv.push_back(each.data());
  argv.push_back(nullptr);
  fcntl(handover_fd, F_SETFD, 0);
  dup2(answer, STDOUT_FILENO);
  dup2(words, STDERR_FILENO);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execv(program.c_str(), argv.data());
  dprintf(STDERR_FILENO, "%s\n", strerror(errno));
  _exit(process::kExitCannotRun);
}

// Appends what is there; false at the end.
bool ReadSome(int fd, std::string& to) {
  char buffer[4096];
  for (;;) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got > 0) {
      to.append(buffer, static_cast<size_t>(got));
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      return false;
    } else if (errno == EAGAIN) {
      return true;
    }
  }
}

void KeepLast(std::string& text, size_t bytes) {
  if (text.size() > bytes) text.erase(0, text.size() - bytes);
}

}  // namespace

absl::StatusOr<Trial> Trial::Start(const std::string& program,
                                   const std::vector<std::string>& arguments, int handover_fd,
                                   const sigset_t& mask, MonotonicNanos deadline) {
  if (absl::Status status = CheckProgram(program); !status.ok()) return status;
  if (absl::Status status = CheckSingleThreaded(); !status.ok()) return status;
  absl::StatusOr<Pipe> words = MakePipe();
  if (!words.ok()) return words.status();
  absl::StatusOr<Pipe> answer = MakePipe();
  pid_t pid = -1;
  if (answer.ok() && (pid = fork()) == 0) {
    Exec(program, arguments, handover_fd, words->write, answer->write, mask);
  }
  absl::Status failed = answer.ok() ? ErrnoStatus(errno, "fork") : answer.status();
  Close(words->write);
  if (answer.ok()) Close(answer->write);
  if (pid > 0) return Trial(program, pid, words->read, answer->read, deadline);
  Close(words->read);
  if (answer.ok()) Close(answer->read);
  return failed;
}

Trial::Trial(std::string program, pid_t pid, int words_fd, int answer_fd, MonotonicNanos deadline)
    : program_(std::move(program)),
      pid_(pid),
      words_fd_(words_fd),
      answer_fd_(answer_fd),
      deadline_(deadline) {}

Trial::Trial(Trial&& other) noexcept {
  *this = std::move(other);
}

Trial& Trial::operator=(Trial&& other) noexcept {
  std::swap(program_, other.program_);
  std::swap(pid_, other.pid_);
  std::swap(words_fd_, other.words_fd_);
  std::swap(answer_fd_, other.answer_fd_);
  std::swap(deadline_, other.deadline_);
  std::swap(overdue_, other.overdue_);
  std::swap(lines_, other.lines_);
  std::swap(line_, other.line_);
  std::swap(words_, other.words_);
  std::swap(answer_, other.answer_);
  return *this;
}

Trial::~Trial() {
  Kill();
  Close(words_fd_);
  Close(answer_fd_);
}

void Trial::Read() {
  if (words_fd_ >= 0) {
    std::string said;
    if (!ReadSome(words_fd_, said)) Close(words_fd_);
    words_ += said;
    KeepLast(words_, kWordsMax);
    line_ += said;
    LogLines();
  }
  if (answer_fd_ < 0) return;
  if (!ReadSome(answer_fd_, answer_)) Close(answer_fd_);
  KeepLast(answer_, kAnswerMax);
}

void Trial::LogLines() {
  for (size_t end; (end = line_.find('\n')) != std::string::npos; line_.erase(0, end + 1)) {
    if (++lines_ > kLinesMax) continue;
    Log(LogLevel::kInfo, "the program on trial says",
        {{"program", program_}, {"line", line_.substr(0, end)}});
  }
  KeepLast(line_, kWordsMax);
}

void Trial::Kill() {
  if (pid_ == 0) return;
  overdue_ = true;
  deadline_ = kNever;
  // Until its first steps are done the group is not there yet.
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
}

absl::Status Trial::Judge(int wait_status) {
  pid_ = 0;
  Read();
  std::string_view said = words_;
  while (!said.empty() && said.back() == '\n') said.remove_suffix(1);
  if (said.rfind('\n') != std::string_view::npos) said.remove_prefix(said.rfind('\n') + 1);
  std::string why;
  if (overdue_) {
    why = "its check did not end within runtime.boot_timeout_ms";
  } else if (wait_status != 0) {
    why = StrCat("its check ended with ", DescribeEnd(wait_status));
  } else if (answer_.find(kTrialPassed) == std::string::npos) {
    why = "it is no such program: it checked nothing";
  }
  if (why.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("cannot upgrade to ", program_, ": ", why, said.empty() ? "" : ": ", said));
}

}  // namespace grove::supervisor
