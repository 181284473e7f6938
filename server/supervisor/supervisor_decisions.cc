// The daemon's life, as decided here:
//
//   boot ── all children ready ──> serving <──> replacing the workers (SIGHUP)
//     │                               │
//     └── hopeless, given up ─────────┴── SIGTERM, SIGINT ──> stopping ── none alive ──> over
//
// A child that dies is due again at once, or later if it keeps dying (RestartPolicy), in all states
// but the last two. One that makes no progress is made to die. Once stopping, nothing is started; a
// second signal kills. The first exit code that is not 0 stays.
#include "server/supervisor/supervisor_decisions.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

namespace grove::supervisor {
namespace {

// One call of Decide().
class Decision {
 public:
  explicit Decision(SupervisorState& state) : state_(state) {}

  void operator()(const SignalCame& came);
  void operator()(const ReloadPrepared&);
  void operator()(const SocketsRemade& remade);
  void operator()(const DirectoryLost& lost) { Stop(process::kExitBadConfig, lost.now); }
  void operator()(const ChildStarted& started);
  void operator()(const StartFailed& failed);
  void operator()(const ChildReady& ready);
  void operator()(const HubSeen& seen);
  void operator()(const ChildDied& died);
  void operator()(const TimePassed& passed);

  std::vector<Action> actions() && { return std::move(actions_); }

 private:
  void Do(ActionKind kind, int child = kNobody, absl::Duration pause = absl::ZeroDuration()) {
    actions_.push_back({kind, child, pause});
  }
  // Calls `body` with the index of each child that runs.
  template <typename F>
  void ForEachAlive(F body);
  void Stop(int exit_code, MonotonicNanos now);
  void TellToEnd(int child, MonotonicNanos now);
  void Abort(ActionKind kind, int child, absl::Duration still, MonotonicNanos now);
  bool EndsBoot(const ChildDied& died);
  void KillOverdue(MonotonicNanos now);
  bool StartOneDue(MonotonicNanos now);
  bool StartStandIn(MonotonicNanos now);
  void ContinueRoll(MonotonicNanos now);

  SupervisorState& state_;
  std::vector<Action> actions_;
};

template <typename F>
void Decision::ForEachAlive(F body) {
  for (int child = 0; child <= state_.stand_in(); ++child) {
    if (state_.children[child].pid != 0) body(child);
  }
}

// --- Signals

void Decision::operator()(const SignalCame& came) {
  switch (came.number) {
    case SIGTERM:
    case SIGINT:
      if (!state_.stopping) {
        state_.stop_asked_at = came.now;
        return Stop(process::kExitStopped, came.now);
      }
      if (RepeatsItself(state_, came)) return;
      return ForEachAlive([&](int child) { Do(ActionKind::kKill, child); });
    case SIGHUP:
      if (!state_.stopping) Do(ActionKind::kPrepareReload);
      return;
    case SIGUSR1:
      // Workers that have yet to boot keep it until they read signals.
      return ForEachAlive([&](int child) {
        if (!state_.IsControl(child)) Do(ActionKind::kReopenLogs, child);
      });
    default:
      return;
  }
}

void Decision::Stop(int exit_code, MonotonicNanos now) {
  if (state_.stopping) return;
  state_.stopping = true;
  state_.exit_code = exit_code;
  // Before the workers hear of it: a connection that comes after their last accept would hang.
  Do(ActionKind::kStopServing);
  ForEachAlive([&](int child) { TellToEnd(child, now); });
}

void Decision::TellToEnd(int child, MonotonicNanos now) {
  ChildState& told = state_.children[child];
  if (told.told_to_end) return;
  told.told_to_end = true;
  told.kill_at = DeadlineAfter(now, state_.drain_timeout + kKillGrace);
  Do(ActionKind::kTellToEnd, child);
}

// --- Reload

// A second SIGHUP while one is under way starts anew: those already replaced may be older than the
// files that it is about.
void Decision::operator()(const ReloadPrepared&) {
  if (state_.stopping) return;
  Do(ActionKind::kSayReplacing);
  state_.to_roll.clear();
  for (int slot = 0; slot < state_.workers(); ++slot) state_.to_roll.push_back(slot);
}

// As by a reload, but those alone. One that is being replaced has the old sockets too.
void Decision::operator()(const SocketsRemade& remade) {
  if (state_.stopping) return;
  for (const int slot : remade.workers) {
    const auto found = std::find(state_.to_roll.begin(), state_.to_roll.end(), slot);
    if (found == state_.to_roll.end()) state_.to_roll.push_back(slot);
  }
}

// One worker is away at a time, so that the others carry the load.
void Decision::ContinueRoll(MonotonicNanos now) {
  while (state_.rolling == kNobody && !state_.to_roll.empty()) {
    const int slot = state_.to_roll.front();
    // It boots, or has yet to end before there can be another.
    if (state_.NeedsStandIn() && !state_.Accepts(state_.stand_in())) return;
    state_.to_roll.pop_front();
    state_.rolling = slot;
    TellToEnd(slot, now);
  }
  const ChildState& stand_in = state_.children[state_.stand_in()];
  if (state_.BeingReplaced() == kNobody && stand_in.pid != 0) TellToEnd(state_.stand_in(), now);
}

// --- Children

void Decision::operator()(const ChildStarted& started) {
  ChildState& child = state_.children[started.child];
  child.pid = started.pid;
  child.ready = child.told_to_end = child.stuck = child.aborted = false;
  child.kill_at = kNever;
  child.standstill.Begin(started.now, started.now);
  child.policy.Started(started.now);
}

void Decision::operator()(const StartFailed& failed) {
  if (failed.hopeless) return Stop(process::kExitCrash, failed.now);
  state_.children[failed.child].due = DeadlineAfter(failed.now, kBackoffMax);
}

void Decision::operator()(const ChildReady& ready) {
  state_.children[ready.child].ready = true;
  state_.children[ready.child].policy.Ready(ready.now);
  state_.children[ready.child].standstill.Begin(ready.now, ready.now);
  if (ready.child == state_.rolling) state_.rolling = kNobody;
  const bool all = std::all_of(state_.children.begin(), state_.children.end() - 1,
                               [](const ChildState& each) { return each.ready; });
  if (!all || state_.announced || state_.stopping) return;
  state_.announced = true;
  state_.boot.Served();
  Do(ActionKind::kAnnounceServing);
}

void Decision::operator()(const HubSeen& seen) {
  ChildState& child = state_.children[seen.child];
  if (child.pid == 0 || child.aborted) return;
  if (!child.ready) {
    // What its hub does so far is no progress: a boot is over when it serves. One that is told to
    // end has a bound already.
    const absl::Duration still = child.standstill.Look(seen.now, child.policy.started());
    if (still < state_.limits.boot || child.told_to_end) return;
    return Abort(ActionKind::kAbortBoot, seen.child, still, seen.now);
  }
  const absl::Duration still = child.standstill.Look(seen.now, seen.last_turn);
  const bool stuck = still >= state_.limits.stuck;
  if (stuck != child.stuck) {
    child.stuck = stuck;
    Do(stuck ? ActionKind::kSayStuck : ActionKind::kSayTurnsAgain, seen.child, still);
  }
  if (!stuck || still < state_.limits.stuck_kill) return;
  Abort(ActionKind::kAbortStuck, seen.child, still, seen.now);
}

void Decision::Abort(ActionKind kind, int child, absl::Duration still, MonotonicNanos now) {
  ChildState& aborted = state_.children[child];
  aborted.aborted = true;
  aborted.kill_at = std::min(aborted.kill_at, DeadlineAfter(now, kReportGrace));
  Do(kind, child, still);
}

void Decision::operator()(const ChildDied& died) {
  ChildState& child = state_.children[died.child];
  const bool as_told = EndedAsTold(child, died.wait_status);
  child.pid = 0;
  child.kill_at = kNever;
  if (state_.stopping) {
    if (!as_told && state_.exit_code == process::kExitStopped) {
      state_.exit_code = process::kExitCrash;
    }
    return;
  }
  if (!child.ready && !child.told_to_end && EndsBoot(died)) return;
  child.due = child.told_to_end ? died.now : child.policy.Died(died.now);
  child.ready = false;
  if (child.due > died.now) {
    Do(ActionKind::kSayRestartsLater, died.child, absl::Nanoseconds(child.due - died.now));
  }
}

// Whether the daemon ends with this death before readiness.
bool Decision::EndsBoot(const ChildDied& died) {
  const int code = WIFEXITED(died.wait_status) ? WEXITSTATUS(died.wait_status) : 0;
  const bool said_why = code == process::kExitBadConfig || code == process::kExitCannotBind;
  if (state_.IsControl(died.child) && !state_.announced && said_why) {
    Stop(code, died.now);
    return true;
  }
  if (!state_.boot.DiedBeforeReady()) return false;
  Do(ActionKind::kSayGivingUp);
  Stop(process::kExitCannotBoot, died.now);
  return true;
}

// --- Time

void Decision::operator()(const TimePassed& passed) {
  KillOverdue(passed.now);
  if (state_.stopping || StartOneDue(passed.now)) return;
  // After the starts: a worker that is about to be a new one need not be replaced.
  std::erase_if(state_.to_roll, [&](int slot) { return state_.children[slot].pid == 0; });
  if (!StartStandIn(passed.now)) ContinueRoll(passed.now);
}

void Decision::KillOverdue(MonotonicNanos now) {
  ForEachAlive([&](int child) {
    if (state_.children[child].kill_at > now) return;
    state_.children[child].kill_at = kNever;
    Do(state_.children[child].aborted ? ActionKind::kKillAborted : ActionKind::kKillOverdue, child);
  });
}

bool Decision::StartOneDue(MonotonicNanos now) {
  for (int child = 0; child <= state_.workers(); ++child) {
    if (state_.children[child].pid != 0 || state_.children[child].due > now) continue;
    Do(ActionKind::kStart, child);
    return true;
  }
  return false;
}

bool Decision::StartStandIn(MonotonicNanos now) {
  const ChildState& stand_in = state_.children[state_.stand_in()];
  if (!state_.NeedsStandIn() || stand_in.pid != 0 || stand_in.due > now) return false;
  Do(ActionKind::kStart, state_.stand_in());
  return true;
}

}  // namespace

absl::Duration LookPeriod(const WatchLimits& limits) {
  return std::min({absl::Seconds(1), limits.stuck / 2, limits.boot / 2});
}

bool SupervisorState::AnyAlive() const {
  return std::any_of(children.begin(), children.end(),
                     [](const ChildState& child) { return child.pid != 0; });
}

MonotonicNanos SupervisorState::NextDue() const {
  MonotonicNanos next = kNever;
  for (int child = 0; child <= stand_in(); ++child) {
    const ChildState& each = children[child];
    if (each.pid != 0) {
      next = std::min(next, each.kill_at);
    } else if (!stopping && (!IsStandIn(child) || NeedsStandIn())) {
      next = std::min(next, each.due);
    }
  }
  return next;
}

bool SupervisorState::Accepts(int child) const {
  const ChildState& each = children[child];
  return each.pid != 0 && each.ready && !each.told_to_end && !each.stuck && !each.aborted;
}

int SupervisorState::BeingReplaced() const {
  if (rolling != kNobody) return rolling;
  return to_roll.empty() ? kNobody : to_roll.front();
}

bool SupervisorState::NeedsStandIn() const {
  const int replaced = BeingReplaced();
  // Before the daemon has served, nobody counts on it.
  if (replaced == kNobody || !announced) return false;
  // Nothing is lost with one that does not accept itself.
  if (rolling == kNobody && !Accepts(replaced)) return false;
  for (int slot = 0; slot < workers(); ++slot) {
    if (slot != replaced && Accepts(slot)) return false;
  }
  return true;
}

bool EndedAsTold(const ChildState& child, int wait_status) {
  return child.told_to_end && ((WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) ||
                               (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM));
}

bool RepeatsItself(const SupervisorState& state, const SignalCame& came) {
  return state.stopping && came.number == SIGTERM &&
         came.now - state.stop_asked_at < absl::ToInt64Nanoseconds(kRepeatWindow);
}

std::vector<Action> Decide(SupervisorState& state, const SupervisorEvent& event) {
  Decision decision(state);
  std::visit(decision, event);
  return std::move(decision).actions();
}

}  // namespace grove::supervisor
