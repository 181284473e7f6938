// TaskQuery: the tasks that a parent and a filter name, found some at a time.
//
// What lists, counts and batches are about. A query of one tenant never looks at another's tasks.
// Holds no place in the engine: tasks may come and go between two looks.
#ifndef GROVE_SERVER_TASKS_TASK_QUERY_H_
#define GROVE_SERVER_TASKS_TASK_QUERY_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/task_filter.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

struct TaskQuery {
  // Indices into the directory; SIZE_MAX: all.
  size_t tenant = SIZE_MAX;
  size_t queue = SIZE_MAX;
  TaskFilter filter;

  bool Matches(const EngineState& state, const Task& task) const;
};

// How far a query has come: the oldest first, tenant by tenant.
struct TaskCursor {
  // Of a query of all tenants.
  size_t tenant = 0;
  // The last task of its tenant that was looked at.
  TaskId last;
};

// INVALID_ARGUMENT, NOT_FOUND (no such tenant or queue).
absl::StatusOr<TaskQuery> ParseQuery(const EngineState& state, const std::string& parent,
                                     const v1::TaskFilter& filter);

// Hands the next matches to `each`, after a bounded number of looks. False once there are no more.
bool FindSome(const EngineState& state, const TaskQuery& query, TaskCursor& cursor,
              absl::FunctionRef<void(const Task&)> each);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_QUERY_H_
