// Views: the engine's records as the public API shows them.
//
// Builds messages; changes nothing.
#ifndef GROVE_SERVER_TASKS_VIEWS_H_
#define GROVE_SERVER_TASKS_VIEWS_H_

#include <string>

#include "server/tasks/engine_state.h"

namespace grove::tasks {

// As much as `view` asks for and memory has: FillPayload() of payloads.h brings the rest. Of a task
// that waits, how many are ahead is counted to `ahead_max`.
v1::Task ViewTask(const EngineState& state, const Task& task, v1::TaskView view,
                  Audience audience = Audience::kOperators, int64_t ahead_max = 0);
// The same into `shown`, which is empty.
void ShowTask(const EngineState& state, const Task& task, v1::TaskView view, Audience audience,
              int64_t ahead_max, v1::Task& shown);
// Whether the store has something of it that the view asks for and memory has not.
bool NeedsStore(const Task& task, v1::TaskView view);
v1::Queue ViewQueue(const EngineState& state, size_t queue,
                    Audience audience = Audience::kOperators);
v1::Pool ViewPool(const EngineState& state, size_t pool);
// Made at run time and not used yet, or retired: a hundred thousand of them would be most of
// /metrics.
bool IsQuiet(const EngineState& state, size_t tenant);
TaskCounters ViewCounters(EngineState& state);

// Tenant, queue and function.
void EncodePlace(const EngineState& state, const Task& task, StoredTask& stored);
// For the store, or the next engine. Requires: the input is in memory.
StoredTask EncodeTask(const EngineState& state, const Task& task);
// The part of it that changes: what RestoreProgress takes back.
StoredProgress EncodeProgress(const EngineState& state, const Task& task);
// False if it does not parse. Leaves `task` in no index.
bool RestoreProgress(const EngineState& state, const StoredProgress& stored, v1::Task& scratch,
                     Task& task);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_VIEWS_H_
