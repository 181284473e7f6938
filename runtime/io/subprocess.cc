#include "runtime/io/subprocess.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/pipe.h"
#include "runtime/switch/errno_status.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

using StreamKind = SubprocessOptions::Stream;

// posix_spawn's parameters, and the child's ends of the pipes until it has them.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    for (const int fd : child_ends_) close(fd);
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // Makes `number` (0, 1 or 2) of the child; `own` gets this process's end of a pipe.
  absl::Status Add(int number, StreamKind stream, Socket& own) {
    const bool is_input = number == STDIN_FILENO;
    if (stream == StreamKind::kInherit) return absl::OkStatus();
    if (stream == StreamKind::kNull) {
      posix_spawn_file_actions_addopen(&actions_, number, "/dev/null",
                                       is_input ? O_RDONLY : O_WRONLY, 0);
      return absl::OkStatus();
    }
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
    absl::StatusOr<Socket> end = Socket::Adopt(fds[is_input ? 1 : 0]);
    // Above 2, or one stream's dup2 would replace another's end where 0 to 2 were closed.
    const int child_end = fcntl(fds[is_input ? 0 : 1], F_DUPFD_CLOEXEC, 3);
    const int error = errno;
    close(fds[is_input ? 0 : 1]);
    if (!end.ok()) {
      if (child_end >= 0) close(child_end);
      return end.status();
    }
    if (child_end < 0) return ErrnoStatus(error, "fcntl(F_DUPFD_CLOEXEC)");
    child_ends_.push_back(child_end);
    posix_spawn_file_actions_adddup2(&actions_, child_end, number);
    own = *std::move(end);
    return absl::OkStatus();
  }

  // Returns an errno.
  int Spawn(const std::vector<std::string>& command, const SubprocessOptions& options, pid_t* pid) {
    if (!options.directory.empty()) {
      posix_spawn_file_actions_addchdir_np(&actions_, options.directory.c_str());
    }
    const int first_closed = 3 + static_cast<int>(options.descriptors.size());
    for (size_t i = 0; i < options.descriptors.size(); ++i) {
      // Above them all: the dup2 of one must not replace another that is still to come.
      const int copy = fcntl(options.descriptors[i], F_DUPFD_CLOEXEC, first_closed);
      if (copy < 0) return errno;
      child_ends_.push_back(copy);
      posix_spawn_file_actions_adddup2(&actions_, copy, 3 + static_cast<int>(i));
    }
    posix_spawn_file_actions_addclosefrom_np(&actions_, first_closed);
    std::vector<char*> arguments = Pointers(command);
    std::vector<char*> environment;
    if (options.environment.has_value()) environment = Pointers(*options.environment);
    return posix_spawnp(pid, arguments[0], &actions_, &attributes_, arguments.data(),
                        options.environment.has_value() ? environment.data() : environ);
  }

 private:
  static std::vector<char*> Pointers(const std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<int> child_ends_;
};

// What the fibers of one Communicate() share; they may outlive it by a turn.
struct Exchange {
  Socket in;
  std::array<Socket, 2> from;
  std::string input;
  std::array<std::string, 2> collected;
  size_t bytes_max = 0;
  int running = 0;
  absl::Status status;
  Event ended;

  void End(const absl::Status& own) {
    if (status.ok()) status = own;
    if (--running == 0 || !own.ok()) ended.Set();
  }
  absl::Status Feed() {
    absl::Status written = in.Write(input);
    in.Close();
    // A program need not read all of its input.
    return absl::IsUnavailable(written) ? absl::OkStatus() : written;
  }
  absl::Status Collect(size_t stream) {
    std::array<char, 16 * 1024> buffer;
    for (;;) {
      absl::StatusOr<size_t> got = from[stream].Read(buffer);
      if (!got.ok() || *got == 0) return got.status();
      if (collected[stream].size() + *got > bytes_max) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the child's output is longer than ", bytes_max, " bytes"));
      }
      collected[stream].append(buffer.data(), *got);
    }
  }
  void Close() {
    in.Close();
    for (Socket& socket : from) socket.Close();
  }
};

absl::Status RunExchange(const std::shared_ptr<Exchange>& exchange) {
  auto start = [&exchange](auto body) {
    ++exchange->running;
    absl::StatusOr<FiberHandle> spawned =
        Spawn("communicate", [exchange, body] { exchange->End(body(*exchange)); });
    if (!spawned.ok()) exchange->End(spawned.status());
  };
  if (exchange->in.open()) start([](Exchange& e) { return e.Feed(); });
  for (size_t stream = 0; stream < 2; ++stream) {
    if (!exchange->from[stream].open()) continue;
    start([stream](Exchange& e) { return e.Collect(stream); });
  }
  if (exchange->running == 0) return exchange->status;
  absl::Status waited = exchange->ended.Wait();
  return waited.ok() ? exchange->status : waited;
}

}  // namespace

absl::StatusOr<Subprocess> Subprocess::Start(const std::vector<std::string>& command,
                                             const SubprocessOptions& options) {
  if (command.empty() || command[0].empty()) {
    return absl::InvalidArgumentError("a subprocess needs a command");
  }
  IgnoreBrokenPipes();
  Subprocess child;
  SpawnPlan plan;
  absl::Status status = plan.Add(STDIN_FILENO, options.in, child.in_);
  if (status.ok()) status = plan.Add(STDOUT_FILENO, options.out, child.out_);
  if (status.ok()) status = plan.Add(STDERR_FILENO, options.err, child.err_);
  if (!status.ok()) return status;
  if (const int error = plan.Spawn(command, options, &child.pid_); error != 0) {
    child.pid_ = -1;
    return ErrnoStatus(error, absl::StrCat("start ", command[0]));
  }
  // From here on `child` kills and reaps it, should anything fail.
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, child.pid_, 0));
  if (pidfd < 0) return ErrnoStatus(errno, "pidfd_open");
  absl::StatusOr<Socket> adopted = Socket::Adopt(pidfd);
  if (!adopted.ok()) return adopted.status();
  child.pidfd_ = *std::move(adopted);
  return child;
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      ended_(other.ended_),
      pidfd_(std::move(other.pidfd_)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Subprocess::~Subprocess() {
  if (pid_ < 0 || ended_.has_value()) return;
  kill(-pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::StatusOr<ExitStatus> Subprocess::Wait() {
  while (!ended_.has_value()) {
    if (absl::Status ready = AwaitReadable(pidfd_.fd(), WaitFor::Kind::kProcess); !ready.ok())
      return ready;
    int status = 0;
    const pid_t reaped = waitpid(pid_, &status, WNOHANG);
    if (reaped == 0) {
      Hub::Current()->descriptors().NotReady(pidfd_.fd(), Direction::kRead);
    } else if (reaped == pid_) {
      ended_ = ExitStatus{.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                          .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
      pidfd_.Close();
    } else if (errno != EINTR) {
      return ErrnoStatus(errno, absl::StrCat("waitpid ", pid_));
    }
  }
  return *ended_;
}

absl::Status Subprocess::Signal(int number) {
  if (ended_.has_value()) return absl::NotFoundError(absl::StrCat("process ", pid_, " has ended"));
  if (kill(-pid_, number) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("kill ", pid_));
}

absl::StatusOr<ExitStatus> Subprocess::Terminate(absl::Duration grace) {
  if (ended_.has_value()) return *ended_;
  if (absl::Status sent = Signal(SIGTERM); !sent.ok()) return sent;
  {
    Timeout patience(grace);
    absl::StatusOr<ExitStatus> ended = Wait();
    if (ended.ok() || !patience.fired()) return ended;
  }
  if (absl::Status sent = Signal(SIGKILL); !sent.ok()) return sent;
  return Wait();
}

absl::StatusOr<Subprocess::Output> Subprocess::Communicate(std::string_view input,
                                                           const CommunicateOptions& options) {
  auto exchange = std::make_shared<Exchange>();
  exchange->in = std::move(in_);
  exchange->from = {std::move(out_), std::move(err_)};
  exchange->input = input;
  exchange->bytes_max = options.output_bytes_max;
  absl::StatusOr<ExitStatus> ended = ExitStatus();
  bool timed_out = false;
  {
    Timeout timeout(options.timeout);
    absl::Status status = RunExchange(exchange);
    exchange->Close();
    ended = status.ok() ? Wait() : status;
    timed_out = timeout.fired();
  }
  if (ended.ok()) {
    return Output{*ended, std::move(exchange->collected[0]), std::move(exchange->collected[1])};
  }
  if (timed_out && Terminate(options.grace).ok()) return ended.status();
  if (Signal(SIGKILL).ok()) (void)Wait();  // if interrupted, the destructor reaps it
  return ended.status();
}

}  // namespace grove
