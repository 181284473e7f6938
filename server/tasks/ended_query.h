// EndedQuery: which ended tasks a store is asked for, and in which order.
#ifndef GROVE_SERVER_TASKS_ENDED_QUERY_H_
#define GROVE_SERVER_TASKS_ENDED_QUERY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "server/tasks/task_id.h"
#include "server/wall_time.h"

namespace grove::tasks {

// Looks of one query, at tasks that its index cannot tell from the ones asked for.
inline constexpr int kEndedLooksMax = 20'000;
// A page ends before its records pass this, with one task at least.
inline constexpr int64_t kEndedPageBytesMax = int64_t{8} << 20;

// What an index has of an ended task.
struct EndedRecord {
  TaskId id;
  std::string tenant;
  std::string queue;
  std::string function;
  // A grove.v1.TaskState; 0 if the record does not parse.
  int32_t state = 0;
  WallMicros end_time_us = 0;
  // As StoredProgress's.
  bool is_bare = false;
};

// Of a task in either order.
struct EndedPosition {
  WallMicros end_time_us = 0;
  TaskId id;
};

struct EndedQuery {
  enum class Order { kFirstCreated, kLastCreated, kFirstEnded, kLastEnded };

  // Empty: of any.
  std::string tenant;
  std::string queue;
  std::string function;
  // Bit N: the state N; 0: any.
  uint32_t states = 0;
  // From then on, and before then.
  WallMicros ended_from_us = INT64_MIN;
  WallMicros ended_before_us = INT64_MAX;
  // Ends of one instant are in the order of the ids.
  Order order = Order::kLastCreated;
  // The tasks beyond it; whether it is there is all one.
  std::optional<EndedPosition> after;
  size_t count_max = 100;

  bool descends() const { return order == Order::kLastCreated || order == Order::kLastEnded; }
  bool by_end() const { return order == Order::kFirstEnded || order == Order::kLastEnded; }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENDED_QUERY_H_
