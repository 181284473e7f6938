// Restoring: a record as a store keeps it becomes a task.
#ifndef GROVE_SERVER_TASKS_RESTORING_H_
#define GROVE_SERVER_TASKS_RESTORING_H_

#include <cstddef>
#include <memory>

#include "server/tasks/engine_state.h"

namespace grove::tasks {

// In no index. nullptr if the record does not parse.
std::unique_ptr<Task> Restore(EngineState& state, const StoredTask& stored, size_t queue);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RESTORING_H_
