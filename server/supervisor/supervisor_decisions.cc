// The daemon's life, as decided here:
//
//   boot ── all children ready ──> serving <──> an operation is carried out
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

#include "server/supervisor/decision.h"

namespace grove::supervisor {

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
    case SIGQUIT:
      if (!state_.stopping) Stop(process::kExitStopped, came.now);
      return StopAtOnce();
    case SIGUSR1:
      // Workers that have yet to boot keep it until they read signals.
      return ForEachAlive([&](int child) {
        if (child != kControl) Do(ActionKind::kReopenLogs, child);
      });
    default:
      return;
  }
}

void Decision::Stop(int exit_code, MonotonicNanos now, int64_t by_operation) {
  if (state_.stopping) return;
  state_.stopping = true;
  state_.exit_code = exit_code;
  state_.roll = {};
  state_.operations.SupersedeAll(by_operation, "the daemon stops", now);
  // Before the workers hear of it: a connection that comes after their last accept would hang.
  Do(ActionKind::kStopServing);
  ForEachAlive([&](int child) { TellToEnd(child, metrics::ExitReason::kStop, now); });
}

// Whoever asks for it wants no child's exit code.
void Decision::StopAtOnce() {
  state_.at_once = true;
  ForEachAlive([&](int child) { Do(ActionKind::kKill, child); });
}

void Decision::TellToEnd(int child, metrics::ExitReason reason, MonotonicNanos now) {
  ChildState& told = state_.children[child];
  if (told.told_to_end) return;
  told.told_to_end = true;
  told.told_for = reason;
  told.kill_at = DeadlineAfter(now, state_.drain_timeout + kKillGrace);
  Do(ActionKind::kTellToEnd, child);
}

// --- Children

void Decision::operator()(const ChildStarted& started) {
  ChildState& child = state_.children[started.child];
  child.pid = started.pid;
  child.ready = child.told_to_end = child.stuck = child.aborted = child.overdue = false;
  child.jitter = started.jitter;
  child.kill_at = kNever;
  child.standstill.Begin(started.now, started.now);
  child.policy.Started(started.now);
  state_.forks.Forked(started.now);
  // It is a new one already.
  std::erase(state_.roll.to_replace, started.child);
}

void Decision::operator()(const StartFailed& failed) {
  state_.forks.Forked(failed.now);
  if (failed.hopeless) return Stop(process::kExitCrash, failed.now);
  ChildState& child = state_.children[failed.child];
  child.due = child.policy.NotStarted(failed.now);
  // What is short now may be there in a moment: neither the boot nor an operation fails for that.
  if (child.due < DeadlineAfter(failed.now, kBackoffMax)) return;
  if (state_.boot.DiedBeforeReady()) {
    Do(ActionKind::kSayGivingUp);
    return Stop(process::kExitCannotBoot, failed.now);
  }
  FailedToComeUp(failed.child, failed.now);
}

void Decision::operator()(const ChildReady& ready) {
  state_.children[ready.child].ready = true;
  state_.children[ready.child].policy.Ready(ready.now);
  state_.children[ready.child].standstill.Begin(ready.now, ready.now);
  CameUp(ready.child);
  if (state_.announced || state_.stopping) return;
  for (int child = 0; child < kChildren; ++child) {
    if (state_.Wanted(child) && !state_.children[child].ready) return;
  }
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
    if (!as_told && !state_.at_once && state_.exit_code == process::kExitStopped) {
      state_.exit_code = process::kExitCrash;
    }
    return;
  }
  const bool failed_to_come_up = !child.ready && !child.told_to_end;
  child.ready = false;
  if (died.child < kStandIn && !state_.Wanted(died.child)) {
    return Do(ActionKind::kReleaseSlot, died.child);
  }
  if (failed_to_come_up && EndsBoot(died)) return;
  child.due = child.told_to_end ? child.policy.Ended(died.now) : child.policy.Died(died.now);
  if (failed_to_come_up) FailedToComeUp(died.child, died.now);
  if (child.due > died.now) {
    Do(ActionKind::kSayRestartsLater, died.child, absl::Nanoseconds(child.due - died.now));
  }
}

// Whether the daemon ends with this death before readiness.
bool Decision::EndsBoot(const ChildDied& died) {
  const int code = WIFEXITED(died.wait_status) ? WEXITSTATUS(died.wait_status) : 0;
  const bool said_why = code == process::kExitBadConfig || code == process::kExitCannotBind;
  if (died.child == kControl && !state_.announced && said_why) {
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
  if (!state_.stopping) BeginOperations(passed.now);
  if (state_.stopping) return;
  if (StartOneDue(passed.now)) return;
  // After the starts: a worker that is about to be a new one need not be replaced.
  std::erase_if(state_.roll.to_replace, [&](int slot) { return state_.children[slot].pid == 0; });
  if (StartStandIn(passed.now)) return;
  ContinueRoll(passed.now);
  FollowOperations(passed.now);
  if (state_.operations.NextToBegin() != nullptr) (*this)(passed);
}

void Decision::KillOverdue(MonotonicNanos now) {
  ForEachAlive([&](int child) {
    if (state_.children[child].kill_at > now) return;
    state_.children[child].kill_at = kNever;
    state_.children[child].overdue = true;
    Do(state_.children[child].aborted ? ActionKind::kKillAborted : ActionKind::kKillOverdue, child);
  });
}

bool Decision::StartOneDue(MonotonicNanos now) {
  if (!state_.forks.MayFork(now)) return false;
  for (int child = 0; child < kChildren; ++child) {
    const ChildState& each = state_.children[child];
    if (!state_.Wanted(child) || each.pid != 0 || each.due > now) continue;
    Do(ActionKind::kStart, child);
    return true;
  }
  return false;
}

bool Decision::StartStandIn(MonotonicNanos now) {
  const ChildState& stand_in = state_.children[kStandIn];
  if (!state_.NeedsStandIn() || stand_in.pid != 0 || stand_in.due > now) return false;
  if (!state_.forks.MayFork(now)) return false;
  Do(ActionKind::kStart, kStandIn);
  return true;
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
