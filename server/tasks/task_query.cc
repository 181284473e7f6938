#include "server/tasks/task_query.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/paging.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

// Looks of one step: a tenth of a millisecond.
constexpr int kLooks = 500;

// The tenant's first task after `last`, among those that the query names if it names any.
const Task* NextOf(const TenantState& tenant, const TaskQuery& query, TaskId last) {
  if (!query.filter.ids()) {
    const auto it = tenant.tasks.upper_bound(last);
    return it == tenant.tasks.end() ? nullptr : it->second;
  }
  const std::vector<TaskId>& ids = *query.filter.ids();
  for (auto id = std::upper_bound(ids.begin(), ids.end(), last); id != ids.end(); ++id) {
    if (const auto it = tenant.tasks.find(*id); it != tenant.tasks.end()) return it->second;
  }
  return nullptr;
}

const Task* Next(const EngineState& state, const TaskQuery& query, TaskCursor& cursor) {
  if (query.tenant != SIZE_MAX) return NextOf(state.tenants[query.tenant], query, cursor.last);
  for (; cursor.tenant < state.tenants.size(); ++cursor.tenant, cursor.last = {}) {
    const Task* task = NextOf(state.tenants[cursor.tenant], query, cursor.last);
    if (task != nullptr) return task;
  }
  return nullptr;
}

}  // namespace

bool TaskQuery::Matches(const EngineState& state, const Task& task) const {
  return (queue == SIZE_MAX || task.queue == queue) && filter.Matches(state, task);
}

absl::StatusOr<TaskQuery> ParseQuery(const EngineState& state, const std::string& parent,
                                     const v1::TaskFilter& filter) {
  auto compiled = TaskFilter::Create(filter);
  if (!compiled.ok()) return compiled.status();
  TaskQuery query{.filter = *std::move(compiled)};
  if (parent == "tenants/-") return query;
  const tenancy::Directory& directory = *state.directory;
  const std::string name =
      parent.empty() ? tenancy::FormatTenantName(tenancy::kDefaultName) : parent;
  if (const auto queue = tenancy::ParseQueueName(name); queue.ok()) {
    const auto index = directory.FindQueue(queue->tenant, queue->queue);
    if (!index) return NotInConfig("QUEUE", name);
    query.tenant = directory.queues()[*index].tenant;
    query.queue = *index;
    return query;
  }
  const auto tenant = tenancy::ParseTenantName(name);
  if (!tenant.ok()) {
    return BadField("parent", "NAME_INVALID",
                    StrCat(tenant.status().message(), ", nor of a queue's"));
  }
  const auto index = directory.FindTenant(*tenant);
  if (!index) return NotInConfig("TENANT", name);
  query.tenant = *index;
  return query;
}

bool FindSome(const EngineState& state, const TaskQuery& query, TaskCursor& cursor,
              absl::FunctionRef<void(const Task&)> each) {
  for (int looks = 0; looks < kLooks; looks += query.filter.cost()) {
    const Task* task = Next(state, query, cursor);
    if (task == nullptr) return false;
    cursor.last = task->id;
    if (query.Matches(state, *task)) each(*task);
  }
  return true;
}

}  // namespace grove::tasks
