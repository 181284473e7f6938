// Holds: what keeps a task from its queue beside its own time.
//
// Tasks that it comes after, or has suspended itself for, and the turn in its sequence. A task that
// is held is SCHEDULED: it has a deadline only if its time is still to come, and goes into its
// queue when both are over. Events note what is no longer held, Tick() lets it go.
#ifndef GROVE_SERVER_TASKS_HOLDS_H_
#define GROVE_SERVER_TASKS_HOLDS_H_

#include "absl/status/status.h"
#include "grove/internal/v1/link.pb.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

bool IsHeld(const Task& task);
// Its last attempt has suspended itself, and it does not go on yet.
bool IsSuspended(const Task& task);

// From any state that has not ended, or none, or an end that was taken back: SCHEDULED until it is
// not held and `at_us` is over, which it may be.
void Await(EngineState& state, Task* task, EngineMicros at_us);
// Of a SCHEDULED task: its time is over. A suspended one waits for nothing else.
void EndDelay(EngineState& state, Task* task);
// Whether that would change anything.
bool CanEndDelay(const Task& task);
// It is to fail: at the next Tick().
void Doom(EngineState& state, Task* task, TaskId by);
// What an attempt asked for: INVALID_ARGUMENT; NOT_FOUND, as CheckAwaited() of after.h.
absl::Status CheckSuspension(const EngineState& state, size_t tenant,
                             const internal::v1::Suspension& asked);
// Of a RUNNING task whose attempt is over: goes on when `names` have ended, and at `at_us` at the
// latest (0: never before).
void Suspend(EngineState& state, Task* task, TaskNames names, EngineMicros at_us);
// It is in its queue again: what it was suspended for is over.
void GoOn(EngineState& state, Task* task);
// The task has an end: it waits for nothing any more.
void DropHolds(EngineState& state, Task* task);

// At Tick().
void SettleHolds(EngineState& state, Effects& effects);
bool HasHoldsToSettle(const EngineState& state);

// --- Recovery ------------------------------------------------------------------------------------

// A task that is not RUNNING, before it is placed: held until EndHoldsRecovery() if it may be.
void HoldRecovered(EngineState& state, Task* task);
// All tasks are there.
void EndHoldsRecovery(EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_HOLDS_H_
