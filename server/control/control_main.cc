// The order of control's start and end, and why it is that one.
//
// Signals are blocked first: gRPC's threads inherit the mask, and one that took SIGTERM would end
// the process in the middle of a commit. The store is read whole before any port is bound, since
// whoever can connect is answered from it; ports come before links and fibers, so that one that
// cannot be bound ends the start before anything has happened. The ready line goes last, when the
// workers are linked or have had their time: who reads that the daemon serves may spawn at once.
// At the end the drain outlasts the workers', whose last results go to disk before clients hear of
// them (invariant 8). Where a successor comes, nothing is waited for: what runs goes on, and is the
// successor's to hear of.
#include "server/control/control_main.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/io/signals.h"
#include "server/control/control.h"
#include "server/control/method_table.h"
#include "server/log.h"
#include "server/metrics/scoreboard.h"
#include "server/process/config_handover.h"
#include "server/process/control_arguments.h"
#include "server/process/crash_report.h"
#include "server/process/exit_code.h"
#include "server/process/heartbeat.h"
#include "server/process/lifeline.h"
#include "server/process/log_setup.h"
#include "server/process/ready_line.h"
#include "server/process/signals.h"
#include "server/recent_lines.h"
#include "server/schedules/sqlite_schedule_store.h"
#include "server/tasks/sqlite_store.h"
#include "server/tasks/volatile_handover.h"
#include "server/tenancy/sqlite_registry.h"
#include "server/version.h"

namespace grove::control {
namespace {

// They are a fiber's to take; blocked before gRPC starts its threads, which inherit that.
void SetUpSignals() {
  const sigset_t blocked = process::MaskOf(process::WithSignalsOfNoUse({}));
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  process::ResetSignals();
}

// Until SIGTERM or SIGQUIT, which it returns. A terminal's Ctrl-C and hang-up reach the whole
// group; the supervisor decides what they mean.
absl::StatusOr<int> AwaitTheEnd(SignalSet& signals) {
  for (;;) {
    absl::StatusOr<SignalReceived> signal = signals.Await();
    if (!signal.ok()) return signal.status();
    if (signal->number == SIGTERM || signal->number == SIGQUIT) return signal->number;
    if (signal->number == SIGINT || signal->number == SIGHUP) continue;
    process::LogUnusedSignal(signal->number, signal->pid);
  }
}

// Nobody waits for a successor; SIGQUIT says that one comes.
absl::Status Drain(Control& control) {
  Log(LogLevel::kInfo, "draining",
      {{"timeout_ms", absl::ToInt64Milliseconds(control.drain_timeout())}});
  control.Drain();
  return control.Stop();
}

absl::Status AnnounceReady(int ready_fd, const Control& control) {
  Log(LogLevel::kInfo, "serving",
      {{"grpc", control.grpc_address()}, {"admin", control.admin_address()}});
  return process::SendReadyLine(
      ready_fd, process::FormatControlReady(
                    {.grpc = control.grpc_address(), .admin = control.admin_address()}));
}

// The main fiber: serves until SIGTERM or SIGQUIT.
absl::Status Serve(Control& control, const config::v1::Config& config,
                   const process::ControlDescriptors& fds) {
  absl::StatusOr<SignalSet> signals = SignalSet::Create(process::WithSignalsOfNoUse({}));
  if (!signals.ok()) return signals.status();
  absl::StatusOr<FiberHandle> lifeline =
      Spawn("lifeline", [&fds] { return process::WatchLifeline(fds.lifeline_fd); });
  if (!lifeline.ok()) return lifeline.status();
  absl::StatusOr<FiberHandle> heartbeat =
      Spawn("heartbeat", [stuck = absl::Milliseconds(config.runtime().stuck_ms())] {
        return process::Heartbeat(stuck);
      });
  if (!heartbeat.ok()) return heartbeat.status();
  if (absl::Status started = control.Start(fds.command_fd); !started.ok()) return started;
  control.AwaitLinks();
  // From here on a death loses volatile tasks, as ever; before it the next control finds them
  // again.
  if (absl::Status emptied = tasks::EmptyVolatileTasks(fds.volatile_tasks_fd); !emptied.ok()) {
    Log(LogLevel::kWarning, emptied.message());
  }
  if (absl::Status ready = AnnounceReady(fds.ready_fd, control); !ready.ok()) {
    control.Stop().IgnoreError();
    return ready;
  }
  const absl::StatusOr<int> signal = AwaitTheEnd(*signals);
  const bool has_successor = signal.ok() && *signal == SIGQUIT;
  absl::Status stopped = has_successor ? control.HandOver(fds.volatile_tasks_fd) : Drain(control);
  Log(LogLevel::kInfo, "stopped");
  return signal.ok() ? stopped : signal.status();
}

int Fail(int code, const absl::Status& status) {
  Log(LogLevel::kError, "cannot start", {{"error", status.message()}});
  return code;
}

// Behind the task store, which locks the state directory.
absl::StatusOr<std::unique_ptr<tenancy::RegistryStore>> OpenRegistry(
    const config::v1::Config& config) {
  if (config.state_dir().empty()) {
    Log(LogLevel::kWarning,
        "there is no state_dir: tenants, tokens and schedules made at run time are lost when "
        "control ends");
    return std::make_unique<tenancy::MemoryRegistry>();
  }
  auto registry = tenancy::SqliteRegistry::Open(config.state_dir());
  if (!registry.ok()) return registry.status();
  return *std::move(registry);
}

absl::StatusOr<std::unique_ptr<schedules::ScheduleStore>> OpenSchedules(
    const config::v1::Config& config) {
  if (config.state_dir().empty()) return std::make_unique<schedules::MemoryScheduleStore>();
  auto store = schedules::SqliteScheduleStore::Open(config.state_dir());
  if (!store.ok()) return store.status();
  return *std::move(store);
}

int Run(const process::ControlDescriptors& fds) {
  // The distribution's abseil is built with its checks: gRPC's threads would look for circles of
  // locks with each one they take.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  absl::StatusOr<config::v1::Config> config = process::ConfigFromFd(fds.config_fd);
  if (!config.ok()) return Fail(process::kExitBadConfig, config.status());
  process::SetUpLogAs("grove-control", config->log());
  StartLogThread();
  process::InstallCrashReport();
  absl::StatusOr<metrics::Scoreboard> scoreboard = metrics::Scoreboard::Open(fds.scoreboard_fd);
  if (!scoreboard.ok()) {
    // Short of memory, and not started by hand: the next one may have it.
    return Fail(absl::IsResourceExhausted(scoreboard.status()) ? process::kExitCrash
                                                               : process::kExitBadConfig,
                scoreboard.status());
  }
  const KeptRecentLog recent_log(scoreboard->recent(metrics::Scoreboard::kControlEvents).log);
  SetUpSignals();

  absl::StatusOr<std::unique_ptr<tasks::SqliteStore>> store =
      tasks::SqliteStore::Open({.state_dir = config->state_dir(),
                                .disk_reserve_bytes = config->tasks().disk_reserve_bytes()});
  if (!store.ok()) return Fail(process::kExitCrash, store.status());
  absl::StatusOr<std::unique_ptr<tenancy::RegistryStore>> registry = OpenRegistry(*config);
  if (!registry.ok()) return Fail(process::kExitCrash, registry.status());
  absl::StatusOr<std::unique_ptr<schedules::ScheduleStore>> schedules = OpenSchedules(*config);
  if (!schedules.ok()) return Fail(process::kExitCrash, schedules.status());
  // Handlers render whole pages, and protobuf's parser recurses.
  absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create({.stack_bytes = 256 * 1024});
  if (!hub.ok()) return Fail(process::kExitCrash, hub.status());
  absl::StatusOr<std::unique_ptr<Control>> control = Control::Create(
      **hub, *config, *scoreboard, **store, **registry, **schedules, fds.volatile_tasks_fd);
  if (!control.ok()) {
    return Fail(
        absl::IsInvalidArgument(control.status()) ? process::kExitBadConfig : process::kExitCrash,
        control.status());
  }
  (*hub)->set_turn_hook([&slot = scoreboard->control()](Hub& turning) {
    slot.last_turn_ns.store(turning.ReadClock(), std::memory_order_relaxed);
    slot.log_lines_dropped.store(LogLinesDropped(), std::memory_order_relaxed);
  });
  bool started = false;
  absl::Status served = (*hub)->Run([&]() -> absl::Status {
    absl::Status status = Serve(**control, *config, fds);
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
  // For a program on trial, which looks whether the two are of one build.
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    printf("grove-control (grove %s)\n", std::string(kVersion).c_str());
    return process::kExitStopped;
  }
  if (argc == 2 && std::string_view(argv[1]) == "--method_table") {
    printf("%s", MethodTableText().c_str());
    return process::kExitStopped;
  }
  prctl(PR_SET_NAME, "grove-control");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  absl::StatusOr<process::ControlDescriptors> fds = process::ParseControlArguments(argc, argv);
  if (!fds.ok()) {
    fprintf(stderr, "grove-control: %s; it is started by groved, not by hand: run groved instead\n",
            std::string(fds.status().message()).c_str());
    return process::kExitBadConfig;
  }
  const int code = Run(*fds);
  FlushLog();
  return code;
}

}  // namespace grove::control
