// Retention: for how long ended tasks are kept, and which of them goes next.
//
// Each queue says for how long: one time for its dead letters, the tasks that FAILED or TIMED_OUT
// for good, and one for the others. Of all of them no more than tasks.retained_max are kept: then
// the oldest go first, of the others as long as dead letters are no more than half of that, so that
// a flood of successes does not wash away what somebody is still to look at.
#ifndef GROVE_SERVER_TASKS_RETENTION_H_
#define GROVE_SERVER_TASKS_RETENTION_H_

#include <cstddef>
#include <cstdint>

#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/engine_time.h"

namespace grove::tasks {

// Keeps one Tick() short; the next one goes on.
inline constexpr int kDropsPerTickMax = 4096;

bool IsDeadLetter(v1::TaskState ended);
// Of a queue: of its dead letters, or of its other ended tasks.
int64_t DeadLetterRetentionUs(const EngineState& state, size_t queue);
int64_t RetentionUs(const EngineState& state, size_t queue);
// What ended longer ago is of no queue's any more.
int64_t LongestRetentionUs(const EngineState& state);

// The task has settled, or is to be dropped or to run again: its queue has one more, or one less.
void CountEnded(EngineState& state, size_t queue, v1::TaskState ended, int by);
// It is kept for its retention, or no longer: not one that halts its sequence (sequences.h).
void Retain(EngineState& state, const RetainedEnd& end, size_t queue, v1::TaskState ended);
void Release(EngineState& state, v1::TaskState ended);
// Once all have come that control recovers, in any order.
void OrderRetained(EngineState& state);

// Drops what is to go (invariant 12). What ended since the last Tick() stays for one more, so that
// its waiters can be answered.
void DropOld(EngineState& state, Effects& effects);
// When that has something to do without an event; INT64_MAX: never.
EngineMicros NextDrop(const EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RETENTION_H_
