// RetainedTasks: the ended tasks that are kept, in the orders in which they leave (retention.h).
#ifndef GROVE_SERVER_TASKS_RETAINED_TASKS_H_
#define GROVE_SERVER_TASKS_RETAINED_TASKS_H_

#include <cstdint>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

struct RetainedEnd {
  EngineMicros end_us = 0;
  TaskId id;
};

// Those of one kind that are kept for the same time, in the order in which they settled. What was
// dropped otherwise, or tried again, stays until it is the first: then nothing has that end.
struct RetentionLane {
  bool of_dead_letters = false;
  int64_t retention_us = 0;
  std::deque<RetainedEnd> ends;
};

struct RetainedTasks {
  // That FAILED or TIMED_OUT; the others.
  int64_t dead_letters = 0;
  int64_t others = 0;
  std::vector<RetentionLane> lanes;
  // The retention of none is over before.
  EngineMicros next_drop_us = INT64_MAX;
};

// What has ended and is kept: ids and ends.
using RetainedEnds = std::set<std::pair<TaskId, EngineMicros>>;
// INTERNAL: some of `ends` are in no lane, or they are not as many as their kinds. For tests.
absl::Status CheckRetained(const RetainedTasks& retained, const RetainedEnds& ends);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RETAINED_TASKS_H_
