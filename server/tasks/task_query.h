// TaskQuery: the tasks that a parent and a filter name, found some at a time.
//
// What lists, counts and batches are about. A query of one tenant never looks at another's tasks.
// Holds no place in the engine: tasks may come and go between two looks.
#ifndef GROVE_SERVER_TASKS_TASK_QUERY_H_
#define GROVE_SERVER_TASKS_TASK_QUERY_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/ended_query.h"
#include "server/tasks/task_filter.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

// Evicted tasks that are recalled at once: some milliseconds of the hub's time.
inline constexpr size_t kRecalledAtOnce = 500;

struct TaskQuery {
  // Indices into the directory; SIZE_MAX: all.
  size_t tenant = SIZE_MAX;
  size_t queue = SIZE_MAX;
  TaskFilter filter;

  bool Matches(const EngineState& state, const Task& task) const;
  // Of the tenant's evicted tasks those that may match, the first ones; nullopt: none may.
  std::optional<EndedQuery> OfEvicted(const EngineState& state, size_t of_tenant) const;
};

// What of a list only the store has: what a query finds, or these tasks.
struct ListRecall {
  std::optional<EndedQuery> query;
  std::vector<TaskId> tasks;
  // Of `tasks`: where the list ends for now, if there are too many.
  std::optional<EndedPosition> horizon;
};

// How far a query has come: the oldest first, tenant by tenant.
struct TaskCursor {
  // Of a query of all tenants.
  size_t tenant = 0;
  // The last task of its tenant that was looked at.
  TaskId last;
  // Of its tenant's tasks, those up to it have been recalled, as far as the query may match them.
  TaskId horizon;
};

// What is to be recalled before the cursor can go on; nullopt: nothing.
std::optional<EndedQuery> EndedFor(const EngineState& state, const TaskQuery& query,
                                   const TaskCursor& cursor);
// What was asked for has been recalled: what it does not have lies beyond `horizon`.
void PassRecalled(const std::optional<EndedPosition>& horizon, TaskCursor& cursor);

// INVALID_ARGUMENT, NOT_FOUND (no such tenant or queue).
absl::StatusOr<TaskQuery> ParseQuery(const EngineState& state, const std::string& parent,
                                     const v1::TaskFilter& filter);

// Hands the next matches to `each`, after a bounded number of looks. False once there are no more;
// goes no further than what has been recalled.
bool FindSome(const EngineState& state, const TaskQuery& query, TaskCursor& cursor,
              absl::FunctionRef<void(const Task&)> each);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_QUERY_H_
