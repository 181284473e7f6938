// RetainedTasks: the ended tasks that are kept, in the orders in which they leave (retention.h).
#ifndef GROVE_SERVER_TASKS_RETAINED_TASKS_H_
#define GROVE_SERVER_TASKS_RETAINED_TASKS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/task.h"

namespace grove::tasks {

// Those that are kept for the same time, in the order in which they settled.
struct RetentionLane {
  int64_t retention_us = 0;
  IntrusiveList<TaskPast, &TaskPast::lane_hook> tasks;
};

// Those of one kind, in that order.
struct EndedKind {
  IntrusiveList<TaskPast, &TaskPast::kind_hook> tasks;
  int64_t count = 0;
};

struct RetainedTasks {
  // That FAILED or TIMED_OUT; the others.
  EndedKind dead_letters;
  EndedKind others;
  std::vector<RetentionLane> lanes;
  // The retention of none is over before.
  EngineMicros next_drop_us = INT64_MAX;
};

// INTERNAL: its lists do not agree with each other, or with how many there are. For tests.
absl::Status CheckRetained(const RetainedTasks& retained, int64_t count);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RETAINED_TASKS_H_
