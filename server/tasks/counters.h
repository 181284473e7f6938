// TaskCounters: the task engine's levels for metrics; what it counts comes as Tally (effects.h).
#ifndef GROVE_SERVER_TASKS_COUNTERS_H_
#define GROVE_SERVER_TASKS_COUNTERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grove/v1/task_service.pb.h"

namespace grove::tasks {

// Tasks held, by grove.v1.TaskState.
using TaskCounts = std::array<int64_t, v1::TaskState_ARRAYSIZE>;

struct TaskCounters {
  // Tasks held now of a tenant's and function's, by grove.v1.TaskState.
  struct Function {
    std::string tenant;
    std::string name;
    TaskCounts tasks{};
  };
  struct Queue {
    std::string tenant;
    std::string name;
    int64_t queued = 0;
    int64_t scheduled = 0;
    int64_t running = 0;
    int64_t oldest_age_us = 0;
    // Tasks that FAILED or TIMED_OUT and are retained.
    int64_t dead_letters = 0;
  };
  struct Pool {
    std::string tenant;
    std::string name;
    int64_t size = 0;
    int64_t running = 0;
  };

  // Of a tenant that had tasks waiting or running in the last 10 s.
  struct Tenant {
    std::string name;
    double share = 0;
    double fair_share = 0;
    int64_t start_p99_us = 0;
  };

  // Of a tenant that has such a quota.
  struct Quota {
    std::string tenant;
    // "running", "queued", "queued_bytes".
    std::string_view quota;
    int64_t used = 0;
    int64_t max = 0;
  };

  std::vector<Function> functions;
  std::vector<Queue> queues;
  std::vector<Pool> pools;
  std::vector<Tenant> tenants;
  std::vector<Quota> quotas;
  // As FairnessFigures.
  double jain = 1;
  int64_t victim_start_p99_us = 0;
  int64_t longest_gap_us = 0;
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
