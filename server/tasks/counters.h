// TaskCounters: the task engine's numbers for metrics.
#ifndef GROVE_SERVER_TASKS_COUNTERS_H_
#define GROVE_SERVER_TASKS_COUNTERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "grove/internal/v1/link.pb.h"
#include "grove/v1/task_service.pb.h"

namespace grove::tasks {

struct TaskCounters {
  struct Function {
    std::string name;
    // Tasks held now, by grove.v1.TaskState.
    std::array<int64_t, v1::TaskState_ARRAYSIZE> tasks{};
    // Tasks that reached an end since control started, by grove.v1.TaskState.
    std::array<int64_t, v1::TaskState_ARRAYSIZE> tasks_ended{};
    // Attempts ended since control started, by grove.internal.v1.AttemptEnded.Outcome.
    std::array<int64_t, internal::v1::AttemptEnded::Outcome_ARRAYSIZE> attempts_ended{};
    // Time on workers' hubs.
    int64_t run_time_us = 0;
  };
  struct Queue {
    std::string tenant;
    std::string name;
    int64_t queued = 0;
    int64_t scheduled = 0;
    int64_t running = 0;
    int64_t oldest_age_us = 0;
    int64_t spawned_total = 0;
    int64_t rejected_total = 0;
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
  // Refused spawns by ErrorInfo reason.
  absl::btree_map<std::string, int64_t> rejected;
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
