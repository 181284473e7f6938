// TaskCounters: the task engine's levels for metrics; what it counts comes as Tally (effects.h).
#ifndef GROVE_SERVER_TASKS_COUNTERS_H_
#define GROVE_SERVER_TASKS_COUNTERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "grove/v1/task_service.pb.h"

namespace grove::tasks {

struct TaskCounters {
  // Tasks held now of a tenant's and function's, by grove.v1.TaskState.
  struct Function {
    std::string tenant;
    std::string name;
    std::array<int64_t, v1::TaskState_ARRAYSIZE> tasks{};
  };
  struct Queue {
    std::string tenant;
    std::string name;
    int64_t queued = 0;
    int64_t scheduled = 0;
    int64_t running = 0;
    int64_t oldest_age_us = 0;
  };
  struct Pool {
    std::string tenant;
    std::string name;
    int64_t size = 0;
    int64_t running = 0;
  };

  std::vector<Function> functions;
  std::vector<Queue> queues;
  std::vector<Pool> pools;
  int64_t tasks_held = 0;
  int64_t attempts_running = 0;
  int64_t workers_linked = 0;
  // Charged for all tasks, what waits for the disk included, and the budget.
  int64_t memory_bytes = 0;
  int64_t memory_max_bytes = 0;
  // Writes that the store has not confirmed.
  int64_t writes_pending = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_COUNTERS_H_
