// SpawnOrigin and Spawned: what is told with a spawn, and what comes of it.
#ifndef GROVE_SERVER_TASKS_SPAWNED_H_
#define GROVE_SERVER_TASKS_SPAWNED_H_

#include <string>
#include <string_view>

#include "server/tasks/task_id.h"

namespace grove::tasks {

// Where a task comes from: kept as it is.
struct SpawnOrigin {
  // Names of the task that spawns it, and of the one that it is another try of.
  std::string_view parent_task = {};
  std::string_view retry_of = {};
};

struct Spawned {
  TaskId id;
  // Resource name.
  std::string name;
  // False: durable and not yet on disk; answer the caller when Effects::acknowledged names it.
  bool acknowledged = true;
  // It was there before, and has the unique key.
  bool attached = false;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SPAWNED_H_
