#include "server/control/control_main.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/io/socket.h"
#include "server/control/control.h"
#include "server/log.h"
#include "server/metrics/scoreboard.h"
#include "server/process/config_handover.h"
#include "server/process/control_arguments.h"
#include "server/process/exit_code.h"
#include "server/process/lifeline.h"
#include "server/process/log_setup.h"
#include "server/process/ready_line.h"
#include "server/tasks/sqlite_store.h"

namespace grove::control {
namespace {

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

absl::Status AnnounceReady(int ready_fd, const Control& control) {
  Log(LogLevel::kInfo, "serving",
      {{"grpc", control.grpc_address()}, {"admin", control.admin_address()}});
  return process::SendReadyLine(
      ready_fd, process::FormatControlReady(
                    {.grpc = control.grpc_address(), .admin = control.admin_address()}));
}

// The main fiber: serves until SIGTERM.
absl::Status Serve(Control& control, const config::v1::Config& config,
                   const process::ControlDescriptors& fds, int signal_fd) {
  absl::StatusOr<FiberHandle> lifeline =
      Spawn("lifeline", [&fds] { return process::WatchLifeline(fds.lifeline_fd); });
  if (!lifeline.ok()) return lifeline.status();
  if (absl::Status started = control.Start(); !started.ok()) return started;
  control.AwaitLinks();
  if (absl::Status ready = AnnounceReady(fds.ready_fd, control); !ready.ok()) {
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

int Run(const process::ControlDescriptors& fds) {
  absl::StatusOr<config::v1::Config> config = process::ConfigFromFd(fds.config_fd);
  if (!config.ok()) return Fail(process::kExitBadConfig, config.status());
  process::SetUpLogAs("grove-control", config->log());
  absl::StatusOr<metrics::Scoreboard> scoreboard = metrics::Scoreboard::Open(fds.scoreboard_fd);
  if (!scoreboard.ok()) return Fail(process::kExitBadConfig, scoreboard.status());
  absl::StatusOr<int> signal_fd = SetUpSignals();
  if (!signal_fd.ok()) return Fail(process::kExitCrash, signal_fd.status());

  absl::StatusOr<std::unique_ptr<tasks::SqliteStore>> store =
      tasks::SqliteStore::Open(config->state_dir());
  if (!store.ok()) return Fail(process::kExitCrash, store.status());
  // Handlers render whole pages, and protobuf's parser recurses.
  absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create({.stack_bytes = 256 * 1024});
  if (!hub.ok()) return Fail(process::kExitCrash, hub.status());
  absl::StatusOr<std::unique_ptr<Control>> control =
      Control::Create(**hub, *config, *scoreboard, **store);
  if (!control.ok()) {
    return Fail(
        absl::IsInvalidArgument(control.status()) ? process::kExitBadConfig : process::kExitCrash,
        control.status());
  }
  bool started = false;
  absl::Status served = (*hub)->Run([&]() -> absl::Status {
    absl::Status status = Serve(**control, *config, fds, *signal_fd);
    started = status.ok();
    return status;
  });
  if (started) return process::kExitStopped;
  if (absl::IsUnavailable(served)) return Fail(process::kExitCannotBind, served);
  return Fail(absl::IsInvalidArgument(served) ? process::kExitBadConfig : process::kExitCrash,
              served);
}

}  // namespace

int ControlMain(int argc, char** argv) {
  prctl(PR_SET_NAME, "grove-control");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  absl::StatusOr<process::ControlDescriptors> fds = process::ParseControlArguments(argc, argv);
  if (!fds.ok()) {
    fprintf(stderr, "grove-control: %s; it is started by groved, not by hand: run groved instead\n",
            std::string(fds.status().message()).c_str());
    return process::kExitBadConfig;
  }
  return Run(*fds);
}

}  // namespace grove::control
