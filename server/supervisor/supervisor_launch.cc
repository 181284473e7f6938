// How the supervisor starts a child: what it makes ready before the fork, and what the child lets
// go of after it. The order that this keeps stands in supervisor.cc.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"
#include "server/log.h"
#include "server/process/control_arguments.h"
#include "server/supervisor/launch.h"
#include "server/supervisor/supervisor.h"
#include "server/topics/socket_path.h"
#include "server/wall_time.h"

namespace grove::supervisor {
namespace {

// Children of a limit that is too low may die by the second.
constexpr absl::Duration kLikelyLimitInterval = absl::Minutes(1);

}  // namespace

void Supervisor::Start(int child, MonotonicNanos now) {
  const std::string title = ChildName(child);
  children_[child].upgrades = upgrades_;
  const absl::StatusOr<pid_t> pid = Launch(child);
  if (!pid.ok()) return TakeFailedStart(child, pid.status(), now);
  if (child != kControl) {
    scoreboard_.slot(SlotOf(child)).pid.store(*pid, std::memory_order_relaxed);
  }
  Log(LogLevel::kInfo, "started", {{"name", title}, {"pid", *pid}});
  if (const int failed = state_.children[child].policy.history().failed_starts; failed > 0) {
    Log(LogLevel::kWarning, "can be started again", {{"name", title}, {"after_failures", failed}});
  }
  if (child == kControl) {
    TellControlAll();
    // A worker has it from this process.
    if (!level_.level.empty()) SendLevel(child, /*operation=*/0);
  }
  const double jitter = std::uniform_real_distribution<double>(0, 1)(random_);
  Handle(ChildStarted{.child = child, .pid = *pid, .now = now, .jitter = jitter}, now);
}

void Supervisor::TakeFailedStart(int child, const absl::Status& why, MonotonicNanos now) {
  const std::string title = ChildName(child);
  const bool is_control = child == kControl;
  metrics::ControlSlot& counts = scoreboard_.control();
  (is_control ? counts.control_start_failures : counts.worker_start_failures)
      .fetch_add(1, std::memory_order_relaxed);
  LineLimit& line = is_control ? not_started_.control : not_started_.workers;
  if (const std::optional<int64_t> times = line.AdmitAt(now)) {
    Log(LogLevel::kError, "cannot start a process",
        {{"name", title}, {"error", why.message()}, {"times", *times}});
  }
  last_death_ = absl::StrCat(title, ": not started: ", why.message());
  SayLikelyLimit(child, now);
  Handle(StartFailed{child, absl::IsFailedPrecondition(why), now}, now);
}

// Whenever the loop turns: some of it changes with time alone. Where it does not, no page is
// written.
void Supervisor::TellRestarts(MonotonicNanos now) {
  const auto tell = [](std::atomic<int64_t>& cell, int64_t value) {
    if (cell.load(std::memory_order_relaxed) != value) cell.store(value, std::memory_order_relaxed);
  };
  for (int worker = 0; worker < state_.workers(); ++worker) {
    const ChildState& child = state_.children[worker];
    metrics::WorkerSlot& slot = scoreboard_.slot(worker);
    tell(slot.quick_deaths, child.policy.QuickDeaths(now));
    tell(slot.due_ns, child.pid == 0 && !state_.stopping && child.due > now ? child.due : 0);
  }
}

void Supervisor::SayLikelyLimit(int child, MonotonicNanos now) {
  if (now - limits_said_ < absl::ToInt64Nanoseconds(kLikelyLimitInterval)) return;
  for (const LowLimit& low : low_limits_) {
    if (!low.kills) continue;
    limits_said_ = now;
    return Log(
        LogLevel::kError, "a limit that is too low may be why: raise it",
        {{"name", ChildName(child)}, {"limit", low.limit}, {"is", low.is}, {"wanted", low.wanted}});
  }
}

absl::StatusOr<pid_t> Supervisor::Launch(int child) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0) return ErrnoStatus(errno, "pipe2");
  // Before the fork, so that the child can close our ends with all the others.
  Child& ours = children_[child];
  ours.ready_line = process::ReadyLineReader(ready[0]);
  absl::StatusOr<std::pair<process::CommandChannel, int>> commands =
      process::CommandChannel::Open(ChildName(child));
  if (!commands.ok()) {
    close(ready[1]);
    ours = {};
    return commands.status();
  }
  ours.channel = std::move(commands->first);
  const ChildEnds ends{.ready_fd = ready[1], .command_fd = commands->second};
  absl::StatusOr<pid_t> pid = child == kControl ? LaunchControl(ends) : LaunchWorker(child, ends);
  // The child's alone from here on: else its death would not end them.
  for (const int fd : {ends.ready_fd, ends.command_fd}) close(fd);
  if (!pid.ok()) ours = {};
  return pid;
}

absl::StatusOr<pid_t> Supervisor::LaunchWorker(int child, ChildEnds ends) {
  if (child != kStandIn) {
    if (absl::Status taken = TakeSlot(child); !taken.ok()) return taken;
  }
  // Where it is killed together with this process's end.
  files_.RemoveAtEnd(topics::SocketPath(files_.run_dir(), child));
  // Before the fork: the worker counts up from here, and who reads the slot meanwhile must not see
  // its predecessor.
  metrics::WorkerSlot& row = scoreboard_.slot(SlotOf(child));
  row.generation.fetch_add(1, std::memory_order_relaxed);
  row.start_time_us.store(WallNow(), std::memory_order_relaxed);
  row.config_generation.store(config_generation_, std::memory_order_relaxed);
  row.last_turn_ns.store(Clock::Monotonic().Now(), std::memory_order_relaxed);
  row.state.store(metrics::SlotState::kStarting, std::memory_order_relaxed);
  absl::StatusOr<pid_t> pid = ForkWorker([&] { return WorkerMain(child, ends); });
  if (pid.ok()) return pid;
  // There was none.
  row.generation.fetch_sub(1, std::memory_order_relaxed);
  row.state.store(metrics::SlotState::kDown, std::memory_order_relaxed);
  return pid;
}

// In the child: lets go of what is the supervisor's or other workers'. The locks, so that a daemon
// whose supervisor was killed can be started again while its workers end; others' sockets, so that
// a connection never waits with a worker that does not accept there; the lifeline's writing end,
// since its last holder is the one whose death it tells.
int Supervisor::WorkerMain(int child, ChildEnds ends) {
  const bool stand_in = child == kStandIn;
  options_.title.Set(ChildName(child));
  files_.CloseLocks();
  stand_in ? endpoints_.KeepForStandIn() : endpoints_.KeepOnly(child);
  endpoints_before_.reset();
  for (Child& each : children_) each = {};
  if (before_) LetGo(*before_);
  options_.program.open = OpenProgram();
  options_.program.control = OpenProgram();
  for (int* fd :
       {&signal_fd_, &config_fd_, &config_before_fd_, &lifeline_[1], &volatile_tasks_fd_}) {
    if (*fd >= 0) close(std::exchange(*fd, -1));
  }
  return options_.run_worker(
      {.slot = SlotOf(child),
       .stand_in = stand_in,
       .http = stand_in ? endpoints_.all_http_sockets() : endpoints_.http_sockets(child),
       .link_fd = stand_in ? -1 : endpoints_.link_fd(child),
       .backdoor_fd = stand_in ? -1 : endpoints_.backdoor_fd(child),
       .lifeline_fd = lifeline_[0],
       .ready_fd = ends.ready_fd,
       .command_fd = ends.command_fd,
       .table = table_ ? &*table_ : nullptr,
       .ticket_keys = ticket_keys_.keys()},
      config_.config, scoreboard_);
}

absl::Status Supervisor::TakeSlot(int slot) {
  if (absl::Status bound = endpoints_.BindSlot(slot); !bound.ok()) return bound;
  for (const std::string& path : endpoints_.paths()) files_.RemoveAtEnd(path);
  scoreboard_.Grow(slot + 1);
  return absl::OkStatus();
}

void Supervisor::ReleaseSlot(int slot) {
  endpoints_.ReleaseSlot(slot);
  scoreboard_.slot(slot).state.store(metrics::SlotState::kEmpty, std::memory_order_relaxed);
}

absl::StatusOr<pid_t> Supervisor::LaunchControl(ChildEnds ends) {
  scoreboard_.control().last_turn_ns.store(Clock::Monotonic().Now(), std::memory_order_relaxed);
  const process::ControlDescriptors descriptors{.config_fd = config_fd_,
                                                .scoreboard_fd = scoreboard_.fd(),
                                                .lifeline_fd = lifeline_[0],
                                                .ready_fd = ends.ready_fd,
                                                .volatile_tasks_fd = volatile_tasks_fd_,
                                                .command_fd = ends.command_fd};
  return StartControl(options_.program.control_path, options_.program.control.fd(),
                      process::FormatControlArguments(descriptors),
                      {config_fd_, scoreboard_.fd(), lifeline_[0], ends.ready_fd,
                       volatile_tasks_fd_, ends.command_fd},
                      original_mask_);
}

}  // namespace grove::supervisor
