#include "server/control/control_main.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/io/socket.h"
#include "server/control/control.h"
#include "server/log.h"
#include "server/metrics/scoreboard.h"
#include "server/process/config_handover.h"
#include "server/tasks/sqlite_store.h"

namespace grove::control {
namespace {

constexpr int kExitCrash = 1;
constexpr int kExitConfig = 2;
constexpr int kExitBind = 3;

struct Descriptors {
  int config = -1;
  int scoreboard = -1;
  int lifeline = -1;
  int ready = -1;
};

// All four, or an error that says what this program is.
absl::StatusOr<Descriptors> ParseArguments(int argc, char** argv) {
  Descriptors descriptors;
  const struct {
    absl::string_view prefix;
    int* fd;
  } flags[] = {{"--config_fd=", &descriptors.config},
               {"--scoreboard_fd=", &descriptors.scoreboard},
               {"--lifeline_fd=", &descriptors.lifeline},
               {"--ready_fd=", &descriptors.ready}};
  for (int i = 1; i < argc; ++i) {
    bool known = false;
    for (const auto& flag : flags) {
      absl::string_view value = argv[i];
      if (!absl::ConsumePrefix(&value, flag.prefix)) continue;
      known = absl::SimpleAtoi(value, flag.fd) && *flag.fd >= 0 && fcntl(*flag.fd, F_GETFD) != -1;
    }
    if (!known) {
      return absl::InvalidArgumentError(absl::StrCat("bad argument '", argv[i], "'"));
    }
  }
  for (const auto& flag : flags) {
    if (*flag.fd < 0) return absl::InvalidArgumentError(absl::StrCat(flag.prefix, "N is missing"));
    fcntl(*flag.fd, F_SETFD, FD_CLOEXEC);
  }
  return descriptors;
}

LogLevel ToLogLevel(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

// SIGTERM comes through the returned descriptor; blocked before gRPC starts its threads.
absl::StatusOr<int> SetUpSignals() {
  signal(SIGPIPE, SIG_IGN);
  // A terminal's Ctrl-C and hang-up reach the whole group; the supervisor decides what they mean.
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, nullptr);
  const int fd = signalfd(-1, &term, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

// Until a signal has come. **Parks.**
absl::Status AwaitSignal(int signal_fd) {
  DescriptorTable& table = Hub::Current()->descriptors();
  absl::Status status = table.Register(signal_fd, Poller::Mode::kEdge);
  // A new descriptor counts as ready until a read finds nothing.
  while (status.ok()) {
    status = AwaitReadable(signal_fd);
    if (!status.ok()) break;
    signalfd_siginfo info;
    const ssize_t got = read(signal_fd, &info, sizeof(info));
    if (got == static_cast<ssize_t>(sizeof(info))) break;
    if (got < 0 && errno == EAGAIN) {
      table.NotReady(signal_fd, Direction::kRead);
    } else if (got >= 0 || errno != EINTR) {
      status = absl::ErrnoToStatus(errno, "read signalfd");
    }
  }
  table.Unregister(signal_fd);
  return status;
}

// The supervisor is gone: nobody would restart what fails here, nor answer for it. What clients
// were told is on disk.
absl::Status WatchLifeline(int fd) {
  absl::StatusOr<Socket> lifeline = Socket::Adopt(fd);
  if (!lifeline.ok()) return lifeline.status();
  char byte;
  for (;;) {
    absl::StatusOr<size_t> got = lifeline->Read(std::span(&byte, 1));
    if (got.ok() && *got > 0) continue;
    if (!got.ok() && absl::IsCancelled(got.status())) return got.status();
    Log(LogLevel::kError, "the supervisor is gone");
    _exit(kExitCrash);
  }
}

// Where both ports are, for whoever cannot read the log. Atomic: readers see all of it or nothing.
absl::Status WriteAddresses(const std::string& run_dir, const Control& control) {
  const std::string path = absl::StrCat(run_dir, "/control.addresses");
  const std::string next = absl::StrCat(path, ".", getpid());
  const std::string text =
      absl::StrCat("grpc ", control.grpc_address(), "\nadmin ", control.admin_address(), "\n");
  std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(next.c_str(), "we"), &fclose);
  if (file == nullptr || fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      fflush(file.get()) != 0 || rename(next.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("writing ", path));
  }
  return absl::OkStatus();
}

absl::Status AnnounceReady(int ready_fd, const config::v1::Config& config, const Control& control) {
  if (absl::Status written = WriteAddresses(config.run_dir(), control); !written.ok()) {
    return written;
  }
  Log(LogLevel::kInfo, "serving",
      {{"grpc", control.grpc_address()}, {"admin", control.admin_address()}});
  const std::string line =
      absl::StrCat("control=", control.grpc_address(), " admin=", control.admin_address(), "\n");
  const ssize_t written = write(ready_fd, line.data(), line.size());
  close(ready_fd);
  if (written == static_cast<ssize_t>(line.size())) return absl::OkStatus();
  return absl::UnavailableError("the supervisor does not take the ready line");
}

// The main fiber: serves until SIGTERM.
absl::Status Serve(Control& control, const config::v1::Config& config, const Descriptors& fds,
                   int signal_fd) {
  absl::StatusOr<FiberHandle> lifeline =
      Spawn("lifeline", [&fds] { return WatchLifeline(fds.lifeline); });
  if (!lifeline.ok()) return lifeline.status();
  if (absl::Status started = control.Start(); !started.ok()) return started;
  control.AwaitLinks();
  if (absl::Status ready = AnnounceReady(fds.ready, config, control); !ready.ok()) {
    control.Stop().IgnoreError();
    return ready;
  }
  const absl::Status watched = AwaitSignal(signal_fd);
  Log(LogLevel::kInfo, "draining", {{"timeout_ms", config.drain_timeout_ms()}});
  control.Drain();
  absl::Status stopped = control.Stop();
  Log(LogLevel::kInfo, "stopped");
  return watched.ok() ? stopped : watched;
}

int Fail(int code, const absl::Status& status) {
  Log(LogLevel::kError, "cannot start", {{"error", status.message()}});
  return code;
}

int Run(const Descriptors& fds) {
  absl::StatusOr<config::v1::Config> config = process::ConfigFromFd(fds.config);
  if (!config.ok()) return Fail(kExitConfig, config.status());
  SetUpLog(
      "grove-control",
      config->log().format() == config::v1::Log::FORMAT_JSON ? LogFormat::kJson : LogFormat::kText,
      ToLogLevel(config->log().level()));
  absl::StatusOr<metrics::Scoreboard> scoreboard = metrics::Scoreboard::Open(fds.scoreboard);
  if (!scoreboard.ok()) return Fail(kExitConfig, scoreboard.status());
  absl::StatusOr<int> signal_fd = SetUpSignals();
  if (!signal_fd.ok()) return Fail(kExitCrash, signal_fd.status());

  absl::StatusOr<std::unique_ptr<tasks::SqliteStore>> store =
      tasks::SqliteStore::Open(config->state_dir());
  if (!store.ok()) return Fail(kExitCrash, store.status());
  // Handlers render whole pages, and protobuf's parser recurses.
  absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create({.stack_bytes = 256 * 1024});
  if (!hub.ok()) return Fail(kExitCrash, hub.status());
  absl::StatusOr<std::unique_ptr<Control>> control =
      Control::Create(**hub, *config, *scoreboard, **store);
  if (!control.ok()) {
    return Fail(absl::IsInvalidArgument(control.status()) ? kExitConfig : kExitCrash,
                control.status());
  }
  bool started = false;
  absl::Status served = (*hub)->Run([&]() -> absl::Status {
    absl::Status status = Serve(**control, *config, fds, *signal_fd);
    started = status.ok();
    return status;
  });
  if (started) return 0;
  if (absl::IsUnavailable(served)) return Fail(kExitBind, served);
  return Fail(absl::IsInvalidArgument(served) ? kExitConfig : kExitCrash, served);
}

}  // namespace

int ControlMain(int argc, char** argv) {
  prctl(PR_SET_NAME, "grove-control");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  absl::StatusOr<Descriptors> fds = ParseArguments(argc, argv);
  if (!fds.ok()) {
    fprintf(stderr, "grove-control: %s; it is started by groved, not by hand: run groved instead\n",
            std::string(fds.status().message()).c_str());
    return kExitConfig;
  }
  return Run(*fds);
}

}  // namespace grove::control
