// Spawning: whether a task is admitted, and its first state.
#ifndef GROVE_SERVER_TASKS_SPAWNING_H_
#define GROVE_SERVER_TASKS_SPAWNING_H_

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// As TaskEngine::Spawn. `queue_of_refusal` is set once it is known which queue is meant.
absl::StatusOr<Spawned> SpawnTask(EngineState& state, std::string_view parent, v1::TaskSpec&& spec,
                                  const SpawnOrigin& origin, Effects& effects,
                                  size_t* queue_of_refusal);

// Whether no other task has an ended task's unique key meanwhile.
absl::Status CheckKeyToReturn(const EngineState& state, const Task& task);
// Whether an ended task may go back into its queue: QUEUE_FULL, quotas and limits, and while the
// store cannot take durable tasks.
absl::Status CheckRoomToReturn(const EngineState& state, const Task& task);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SPAWNING_H_
