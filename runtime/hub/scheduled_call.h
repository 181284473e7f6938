// ScheduleCall: a callable that the hub runs after a delay, outside any fiber.
//
// Cheaper than SpawnAfter: a timer and the closure, no stack. The price: the call must not park
// (that is a failed CHECK), and holds up the hub while it runs. Where either hurts, SpawnAfter is
// the right one, or a call that spawns. Calls of one deadline run in the order in which they were
// scheduled; one scheduled while timers fire runs in the next turn at the earliest.
// An exception that leaves a call is counted as uncaught, logged with its place, and ends nothing
// else. Calls that are left when the hub's Run() ends are dropped. Hub thread only.
#ifndef GROVE_RUNTIME_HUB_SCHEDULED_CALL_H_
#define GROVE_RUNTIME_HUB_SCHEDULED_CALL_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "runtime/switch/source_location.h"

namespace grove {

// A counted reference to a scheduled call. Dropping it does not cancel the call.
class ScheduledCall {
 public:
  struct State;

  ScheduledCall() = default;
  explicit ScheduledCall(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // It has neither run, nor been cancelled, skipped or dropped. False while it runs.
  bool pending() const;
  // True if the call will not run because of this; its closure is destroyed. O(log n).
  bool Cancel();

  // Calls `visit` for calls of this thread's hub that are pending, the last scheduled first, at
  // most `limit` of them: where each was scheduled, and when it is due on the hub's clock.
  // Requires: a hub runs here; `visit` schedules and cancels nothing.
  static void Visit(size_t limit,
                    absl::FunctionRef<void(const SourceLocation& site, MonotonicNanos due)> visit);

 private:
  std::shared_ptr<State> state_;
};

// After `after` of the hub's time; zero or less: in the next turn. Requires: a hub runs here.
ScheduledCall ScheduleCall(absl::Duration after, absl::AnyInvocable<void()> call,
                           SourceLocation site = SourceLocation::Current());
// As ScheduleCall, but skipped if the fiber that runs now has ended by then: for calls that use
// what that fiber owns. Keeps the ended fiber's stack until then. Requires: a fiber runs.
ScheduledCall ScheduleCallLocal(absl::Duration after, absl::AnyInvocable<void()> call,
                                SourceLocation site = SourceLocation::Current());

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_SCHEDULED_CALL_H_
