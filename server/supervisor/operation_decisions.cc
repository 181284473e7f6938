// How operations are carried out: what each begins with, and when it is over.
//
// A roll replaces workers one after the other behind a stand-in, which serves HTTP beside them from
// before the first is told to end until the last successor serves: so the daemon never accepts with
// fewer processes than it was told to have, and what could not come up at all (code, a certificate,
// memory that is short) is found out by a process that nobody counts on yet. Until it is ready, no
// worker is told anything; where it does not get ready, none is.
//
// Each operation ends: drains are bounded by drain_timeout_ms, boots by boot_timeout_ms, and a
// child that does not come up for it by kOperationFailuresMax.
#include <signal.h>

#include <algorithm>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/config/limits.h"
#include "server/refusal.h"
#include "server/supervisor/decision.h"

namespace grove::supervisor {
namespace {

std::string Workers(int count) {
  return count == 1 ? "1 worker" : StrCat(count, " workers");
}

// How many there shall be once what waits is done.
int WorkersInTheEnd(SupervisorState& state) {
  const Operation* open = state.operations.FindOpen(OperationKind::kScale);
  return open != nullptr ? open->spec.workers : state.wanted;
}

absl::Status CheckScale(SupervisorState& state, OperationSpec& spec) {
  if (spec.workers == 0) spec.workers = WorkersInTheEnd(state) + spec.change;
  if (spec.workers >= 1 && spec.workers <= config::kWorkersMax) return absl::OkStatus();
  return Refusal(absl::StatusCode::kInvalidArgument, "WORKERS_OUT_OF_RANGE",
                 StrCat("there would be ", spec.workers, " workers: 1 to ", config::kWorkersMax,
                        " are possible"));
}

absl::Status CheckSlots(const SupervisorState& state, const OperationSpec& spec) {
  for (const int slot : spec.slots) {
    if (slot >= 0 && slot < state.wanted) continue;
    return Refusal(absl::StatusCode::kNotFound, "WORKER_NOT_FOUND",
                   StrCat("no worker ", slot, ": there are workers 0 to ", state.wanted - 1));
  }
  return absl::OkStatus();
}

absl::Status CheckLevel(std::string_view level) {
  for (const std::string_view each : {"", "debug", "info", "warning", "error"}) {
    if (level == each) return absl::OkStatus();
  }
  return Refusal(absl::StatusCode::kInvalidArgument, "LOG_LEVEL_UNKNOWN",
                 StrCat("'", Cut(level),
                        "' is no log level: debug, info, warning or error; the config's if empty"));
}

absl::Status Check(SupervisorState& state, OperationSpec& spec) {
  if (state.stopping) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "DAEMON_STOPS", "the daemon stops");
  }
  switch (spec.kind) {
    case OperationKind::kScale:
      return CheckScale(state, spec);
    case OperationKind::kRestart:
    case OperationKind::kRecycle:
      return CheckSlots(state, spec);
    case OperationKind::kSetLogLevel:
      return CheckLevel(spec.level);
    case OperationKind::kDrain:
      if (!spec.old_generation || !state.roll.to_replace.empty()) return absl::OkStatus();
      return Refusal(absl::StatusCode::kFailedPrecondition, "NOTHING_TO_REPLACE",
                     "no worker waits to be replaced");
    default:
      return absl::OkStatus();
  }
}

void AddSlot(std::vector<int>& slots, int slot) {
  if (std::find(slots.begin(), slots.end(), slot) == slots.end()) slots.push_back(slot);
}

metrics::ExitReason RollReasonOf(const OperationSpec& spec) {
  switch (spec.kind) {
    case OperationKind::kReload:
      return metrics::ExitReason::kReload;
    case OperationKind::kUpgrade:
      return metrics::ExitReason::kUpgrade;
    case OperationKind::kRecycle:
      for (const auto reason : {metrics::ExitReason::kMaxRequests, metrics::ExitReason::kMaxAge,
                                metrics::ExitReason::kMaxRss}) {
        if (spec.reason == metrics::NameOf(reason)) return reason;
      }
      return metrics::ExitReason::kRestart;
    default:
      return metrics::ExitReason::kRestart;
  }
}

// The name of the bound that a worker has reached; empty: none.
std::string_view ReachedBound(const RecycleBounds& bounds, const ChildState& worker,
                              const LoadSeen& seen) {
  const double part = 1 - worker.jitter * bounds.jitter_percent / 100;
  const auto reached = [&](double value, double bound) {
    return bound > 0 && value >= bound * part;
  };
  if (reached(static_cast<double>(seen.requests), static_cast<double>(bounds.requests))) {
    return metrics::NameOf(metrics::ExitReason::kMaxRequests);
  }
  const absl::Duration age = absl::Nanoseconds(seen.now - worker.policy.started());
  if (reached(absl::ToDoubleSeconds(age), absl::ToDoubleSeconds(bounds.age))) {
    return metrics::NameOf(metrics::ExitReason::kMaxAge);
  }
  if (reached(static_cast<double>(seen.rss_bytes), static_cast<double>(bounds.rss_bytes))) {
    return metrics::NameOf(metrics::ExitReason::kMaxRss);
  }
  return "";
}

// "replacing grove-w1 (2 of 4)"; `done` of them are.
std::string DescribeRoll(const Roll& roll, int done, int steps) {
  if (roll.proves && !roll.control_away) return "waiting for the new program's first process";
  if (roll.control_away) return "replacing grove-control";
  if (roll.away.empty()) return "waiting for the stand-in";
  if (roll.away.size() > 1)
    return StrCat("replacing ", Workers(static_cast<int>(roll.away.size())));
  return StrCat("replacing ", ChildName(roll.away[0]), " (", done + 1, " of ", steps, ")");
}

std::string DescribeReplaced(const Operation& operation, const std::string& in_place) {
  if (operation.spec.kind == OperationKind::kUpgrade) {
    return StrCat("replaced all ", operation.steps, " by the new program's");
  }
  if (operation.steps == 0) return in_place.empty() ? "nothing was to be replaced" : in_place;
  if (!in_place.empty()) return StrCat(in_place, "; ", DescribeReplaced(operation, ""));
  if (operation.spec.control) return "replaced grove-control";
  if (operation.spec.slots.empty()) return StrCat("replaced all ", operation.steps);
  std::string names;
  for (const int slot : operation.spec.slots) {
    names += StrCat(names.empty() ? "" : ", ", ChildName(slot));
  }
  const std::string& reason = operation.spec.reason;
  return StrCat("replaced ", names, reason.empty() ? "" : StrCat(" (", reason, ")"));
}

}  // namespace

absl::StatusOr<int64_t> AskFor(SupervisorState& state, OperationSpec spec, MonotonicNanos now) {
  if (absl::Status status = Check(state, spec); !status.ok()) return status;
  const OperationKind kind = spec.kind;
  Operation* const before =
      kind == OperationKind::kScale ? state.operations.FindOpen(kind) : nullptr;
  const int64_t replaced = before != nullptr ? before->number : 0;
  absl::StatusOr<int64_t> number = state.operations.Add(std::move(spec));
  // Each says how many there shall be in the end.
  if (number.ok() && replaced != 0) {
    state.operations.Supersede(*state.operations.Find(replaced),
                               StrCat("operation ", *number, " took its place"), now);
  }
  return number;
}

std::optional<OperationSpec> OperationOf(const SignalCame& came) {
  const auto spec = [&](OperationKind kind, std::string_view name) {
    return OperationSpec{.kind = kind, .requested_by = StrCat(name, " of pid ", came.from_pid)};
  };
  OperationSpec asked;
  const bool from_terminal = came.from_pid == 0;  // about itself: its size, its foreground
  switch (came.number) {
    case SIGHUP:
      return spec(OperationKind::kReload, "SIGHUP");
    case SIGUSR2:
      return spec(OperationKind::kUpgrade, "SIGUSR2");
    case SIGTTIN:
      if (from_terminal) return std::nullopt;
      asked = spec(OperationKind::kScale, "SIGTTIN");
      asked.change = 1;
      return asked;
    case SIGTTOU:
      if (from_terminal) return std::nullopt;
      asked = spec(OperationKind::kScale, "SIGTTOU");
      asked.change = -1;
      return asked;
    case SIGWINCH:
      if (from_terminal) return std::nullopt;
      asked = spec(OperationKind::kDrain, "SIGWINCH");
      asked.old_generation = true;
      return asked;
    default:
      return std::nullopt;
  }
}

// --- Their beginnings

void Decision::BeginOperations(MonotonicNanos now) {
  while (Operation* next = state_.stopping ? nullptr : state_.operations.NextToBegin()) {
    state_.operations.Begin(*next, now);
    Begin(*next, now);
  }
}

void Decision::Begin(Operation& operation, MonotonicNanos now) {
  switch (operation.spec.kind) {
    case OperationKind::kScale:
      return BeginScale(operation, now);
    case OperationKind::kRestart:
    case OperationKind::kRecycle:
      return BeginRoll(operation, !operation.spec.control, operation.spec.control);
    case OperationKind::kReload:
      return DoFor(operation, ActionKind::kPrepareReload);
    case OperationKind::kUpgrade:
      return DoFor(operation, ActionKind::kUpgrade);
    case OperationKind::kSetLogLevel:
      return DoFor(operation, ActionKind::kSetLogLevel);
    case OperationKind::kDrain:
      if (!operation.spec.old_generation) {
        state_.stop_asked_at = now;
        return Stop(process::kExitStopped, now, operation.number);
      }
      state_.roll.all_at_once = true;
      return;
  }
}

void Decision::BeginScale(Operation& operation, MonotonicNanos now) {
  state_.scaled_from = state_.wanted;
  state_.wanted = operation.spec.workers;
  state_.roll = {};
  // A slot may have been in use before: what its processes did then is forgotten.
  for (int slot = state_.scaled_from; slot < state_.wanted; ++slot) {
    state_.children[slot].policy = {};
    state_.children[slot].due = now;
  }
  LeaveSlots(now);
}

// All that are not wanted any more, at once: nobody waits for a successor of theirs.
void Decision::LeaveSlots(MonotonicNanos now) {
  for (int slot = state_.wanted; slot < kStandIn; ++slot) {
    const ChildState& child = state_.children[slot];
    if (child.pid == 0 || child.told_to_end) continue;
    Do(ActionKind::kCloseOwnSockets, slot);
    TellToEnd(slot, metrics::ExitReason::kScale, now);
  }
}

// Workers that are away for the roll before are waited for by this one.
void Decision::BeginRoll(Operation& operation, bool workers, bool control) {
  Roll& roll = state_.roll;
  roll.operation = operation.number;
  roll.reason = RollReasonOf(operation.spec);
  roll.failures = 0;
  roll.all_at_once = false;
  roll.control = control;
  roll.to_replace.assign(operation.spec.slots.begin(), operation.spec.slots.end());
  for (int slot = 0; workers && operation.spec.slots.empty() && slot < state_.wanted; ++slot) {
    roll.to_replace.push_back(slot);
  }
  // The successor of one that ends already has yet to be made.
  std::erase_if(roll.to_replace, [&](int slot) { return state_.children[slot].told_to_end; });
  operation.steps = static_cast<int>(roll.to_replace.size() + roll.away.size()) + (control ? 1 : 0);
}

// Reloads that are under way give way only now: those that they have replaced may be older than
// what this one is about. What they had yet to replace is this one's, since it has been told of
// what has changed after them alone.
void Decision::operator()(const ReloadPrepared& prepared) {
  Operation* operation = state_.operations.Find(prepared.operation);
  if (state_.stopping || operation == nullptr || operation->HasEnded()) return;
  OperationSpec& spec = operation->spec;
  bool control = prepared.control;
  spec.slots = prepared.slots;
  for (Operation* before;
       (before = state_.operations.FindOpen(OperationKind::kReload)) != operation;) {
    if (state_.roll.operation == before->number) {
      for (const int slot : state_.roll.to_replace) AddSlot(spec.slots, slot);
      control |= state_.roll.control;
    }
    state_.operations.Supersede(*before, StrCat("operation ", operation->number, " took its place"),
                                prepared.now);
  }
  if (prepared.workers) spec.slots.clear();
  spec.control = control && !prepared.workers && spec.slots.empty();
  if (prepared.workers) Do(ActionKind::kSayReplacing);
  BeginRoll(*operation, prepared.workers || !spec.slots.empty(), control);
  state_.roll.in_place = prepared.in_place;
}

void Decision::operator()(const ReloadRefused& refused) {
  Operation* operation = state_.operations.Find(refused.operation);
  if (operation == nullptr || operation->HasEnded()) return;
  state_.operations.Fail(*operation, refused.why, "nothing was changed", refused.now);
}

// As by a restart of those alone. One that is away has the old sockets too.
void Decision::operator()(const SocketsRemade& remade) {
  if (state_.stopping) return;
  OperationSpec spec{.kind = OperationKind::kRestart, .requested_by = "removed files"};
  for (const int slot : remade.workers) {
    if (slot < state_.wanted) AddSlot(spec.slots, slot);
  }
  if (spec.slots.empty()) return;
  for (const Operation& each : state_.operations.all()) {
    if (each.state != OperationState::kWaiting || each.spec.requested_by != spec.requested_by) {
      continue;
    }
    for (const int slot : spec.slots)
      AddSlot(state_.operations.Find(each.number)->spec.slots, slot);
    return;
  }
  // Where too many wait, one of them replaces these too, or the next look finds them again.
  state_.operations.Add(std::move(spec)).IgnoreError();
}

// One at a time is asked for: who else has reached a bound is found again at the next look, and
// what operators ask for meanwhile does not wait behind all of them.
void Decision::operator()(const LoadSeen& seen) {
  if (!state_.announced || state_.stopping || seen.now < state_.recycle_again) return;
  const ChildState& worker = state_.children[seen.worker];
  if (!state_.Accepts(seen.worker) || state_.roll.Has(seen.worker)) return;
  if (state_.operations.FindOpen(OperationKind::kRecycle) != nullptr) return;
  const std::string_view reason = ReachedBound(state_.recycle, worker, seen);
  if (reason.empty()) return;
  // Where too many wait it is found again too.
  state_.operations
      .Add({.kind = OperationKind::kRecycle,
            .requested_by = "recycle",
            .slots = {seen.worker},
            .reason = std::string(reason)})
      .IgnoreError();
}

// --- The roll

// Those first that nobody misses. For others also a worker that boots for another reason is waited
// for: never is more than one away.
int Decision::NextToReplace() const {
  const Roll& roll = state_.roll;
  if (roll.to_replace.empty() || roll.proves) return kNobody;
  if (state_.NeedsStandIn() && !state_.Accepts(kStandIn)) return kNobody;
  if (roll.all_at_once) return roll.to_replace.front();
  if (!roll.away.empty()) return kNobody;
  for (const int slot : roll.to_replace) {
    if (!state_.Accepts(slot)) return slot;
  }
  return state_.announced && state_.AnyWorkerBoots() ? kNobody : roll.to_replace.front();
}

void Decision::ContinueRoll(MonotonicNanos now) {
  Roll& roll = state_.roll;
  if (roll.proves) Prove(now);
  for (int slot; (slot = NextToReplace()) != kNobody;) {
    std::erase(roll.to_replace, slot);
    roll.away.push_back(slot);
    TellToEnd(slot, roll.reason, now);
  }
  if (roll.control && !roll.AnyWorker()) HandControlOver(now);
  EndStandIn(now);
}

void Decision::HandControlOver(MonotonicNanos now) {
  state_.roll.control = false;
  ChildState& control = state_.children[kControl];
  // One that is about to be a new one need not be replaced.
  state_.roll.control_away = true;
  if (control.pid == 0 || control.told_to_end) return;
  control.told_to_end = true;
  control.told_for = state_.roll.reason;
  control.kill_at = DeadlineAfter(now, kKillGrace);
  Do(ActionKind::kTellToHandOver, kControl);
}

// Not before a worker serves, though a roll may have failed with the last that did.
void Decision::EndStandIn(MonotonicNanos now) {
  if (state_.children[kStandIn].pid == 0 || state_.NeedsStandIn()) return;
  if (state_.AnyWorkerAccepts() || !state_.children[kStandIn].ready)
    TellToEnd(kStandIn, metrics::ExitReason::kStop, now);
}

// --- Their ends

Operation* Decision::RunningAlone() {
  if (state_.roll.operation != 0) return state_.operations.Find(state_.roll.operation);
  Operation* scale = state_.operations.FindOpen(OperationKind::kScale);
  return scale != nullptr && scale->state == OperationState::kRunning ? scale : nullptr;
}

void Decision::FollowOperations(MonotonicNanos now) {
  if (Operation* operation = RunningAlone(); operation != nullptr && !operation->HasEnded()) {
    operation->spec.kind == OperationKind::kScale ? FollowScale(*operation, now)
                                                  : FollowRoll(*operation, now);
  }
  if (state_.roll.AnyWorker()) return;
  Operation* drain = state_.operations.FindOpen(OperationKind::kDrain);
  if (drain != nullptr && drain->state == OperationState::kRunning) {
    state_.operations.Succeed(*drain, "all are replaced", now);
  }
}

void Decision::FollowScale(Operation& operation, MonotonicNanos now) {
  int open = 0;
  for (int slot = 0; slot < kStandIn; ++slot) {
    const ChildState& child = state_.children[slot];
    const bool comes = slot < state_.wanted && slot >= state_.scaled_from && !child.ready;
    if (comes || (slot >= state_.wanted && child.pid != 0)) ++open;
  }
  const int steps = std::max(operation.steps, open);
  std::string message = StrCat("from ", state_.scaled_from, " to ", Workers(state_.wanted));
  if (open > 0) {
    return state_.operations.Progress(operation, steps - open, steps, std::move(message));
  }
  state_.scaled_from = state_.wanted;
  state_.operations.Succeed(operation, std::move(message), now);
}

void Decision::FollowRoll(Operation& operation, MonotonicNanos now) {
  const Roll& roll = state_.roll;
  const int steps = operation.steps;
  if (roll.Over()) {
    const std::string in_place = std::exchange(state_.roll, {}).in_place;
    return state_.operations.Succeed(operation, DescribeReplaced(operation, in_place), now);
  }
  const int done = steps - static_cast<int>(roll.to_replace.size() + roll.away.size()) -
                   (roll.control || roll.control_away ? 1 : 0);
  state_.operations.Progress(operation, std::max(done, 0), steps,
                             DescribeRoll(roll, std::max(done, 0), steps));
}

bool Decision::ConcernsOperation(int child) const {
  const Roll& roll = state_.roll;
  if (child == kStandIn) return true;
  if (child == kControl) return roll.control_away;
  return (child >= state_.scaled_from && child < state_.wanted) ||
         std::find(roll.away.begin(), roll.away.end(), child) != roll.away.end();
}

void Decision::CameUp(int child) {
  if (ConcernsOperation(child)) state_.roll.failures = 0;
  std::erase(state_.roll.away, child);
  if (child != kControl || !state_.roll.control_away) return;
  state_.roll.control_away = false;
  if (state_.roll.proves) EndProof();
}

void Decision::FailedToComeUp(int child, MonotonicNanos now) {
  Operation* operation = RunningAlone();
  if (operation == nullptr || operation->HasEnded() || !ConcernsOperation(child)) return;
  ++state_.roll.failures;
  if (state_.roll.proves) return FailProof();
  if (state_.roll.failures < kOperationFailuresMax) return;
  FailOperation(*operation,
                absl::InternalError(StrCat(ChildName(child), " did not come up ",
                                           kOperationFailuresMax, " times; the log says why")),
                now);
}

void Decision::FailOperation(Operation& operation, absl::Status error, MonotonicNanos now) {
  std::string left;
  if (operation.spec.kind == OperationKind::kScale) {
    std::swap(state_.wanted, state_.scaled_from);
    left = StrCat(Workers(state_.wanted), ", as before");
    state_.scaled_from = state_.wanted;
    LeaveSlots(now);
  } else {
    left = StrCat(state_.roll.to_replace.size(), " of ", operation.steps, " were not replaced");
  }
  state_.roll = {};
  if (operation.spec.kind == OperationKind::kRecycle) {
    state_.recycle_again = DeadlineAfter(now, kRecyclePause);
  }
  state_.operations.Fail(operation, std::move(error), std::move(left), now);
}

}  // namespace grove::supervisor
