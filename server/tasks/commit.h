// Commit: how a task's state comes to last.
//
// Writes durable tasks to the store, and counts what those writes hold until it confirms them.
#ifndef GROVE_SERVER_TASKS_COMMIT_H_
#define GROVE_SERVER_TASKS_COMMIT_H_

#include <cstdint>

#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

void WriteInsert(EngineState& state, Task& task, Effects& effects);
// Makes the task's state last: at once if volatile, with a write if durable. Follows every change
// but that from SCHEDULED to QUEUED, which time alone repeats. `attempt` (0 if none) is
// acknowledged to `worker` when it lasts.
void Commit(EngineState& state, Task* task, Effects& effects, uint64_t attempt = 0,
            int32_t worker = -1);
// The end of the task is there to stay: it counts towards the retention, and waiters may know.
void Settle(EngineState& state, Task* task, Effects& effects);

// The task is forgotten.
void WriteDelete(EngineState& state, TaskId id, Effects& effects);

// A settled task comes to where its retention ends in its turn, if it does at all.
void ListEnd(EngineState& state, Task* task);
// The task is to be dropped: it no longer counts as retained.
void Unsettle(EngineState& state, Task* task);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_COMMIT_H_
