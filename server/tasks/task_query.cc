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

constexpr TaskId kLastId = {~uint64_t{0}, ~uint64_t{0}};

// Beyond its last task: the next tenant's first one. False: there is none.
bool GoToNextTenant(const EngineState& state, const TaskQuery& query, TaskCursor& cursor) {
  if (query.tenant != SIZE_MAX || cursor.tenant + 1 >= state.tenants.size()) return false;
  cursor = {.tenant = cursor.tenant + 1};
  return true;
}

size_t TenantOf(const TaskQuery& query, const TaskCursor& cursor) {
  return query.tenant == SIZE_MAX ? cursor.tenant : query.tenant;
}

// Nothing that is not in memory lies before the next task.
bool IsInSight(const EngineState& state, const TaskQuery& query, const TaskCursor& cursor,
               const Task* next) {
  const TaskId to = next == nullptr ? kLastId : next->id;
  return to <= cursor.horizon || !query.OfEvicted(state, TenantOf(query, cursor));
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

std::optional<EndedQuery> TaskQuery::OfEvicted(const EngineState& state, size_t of_tenant) const {
  const bool has_some =
      of_tenant == SIZE_MAX ? !state.evicted.empty() : state.tenants[of_tenant].use().evicted > 0;
  EndedQuery ended;
  if (!has_some || !filter.NarrowEnded(ended)) return std::nullopt;
  const tenancy::Directory& directory = *state.directory;
  if (of_tenant != SIZE_MAX) ended.tenant = directory.tenants()[of_tenant].name;
  if (queue != SIZE_MAX) ended.queue = directory.queues()[queue].name;
  return ended;
}

std::optional<EndedQuery> EndedFor(const EngineState& state, const TaskQuery& query,
                                   const TaskCursor& cursor) {
  if (cursor.last < cursor.horizon || cursor.horizon == kLastId) return std::nullopt;
  if (TenantOf(query, cursor) >= state.tenants.size()) return std::nullopt;
  std::optional<EndedQuery> ended = query.OfEvicted(state, TenantOf(query, cursor));
  if (!ended) return std::nullopt;
  ended->order = EndedQuery::Order::kFirstCreated;
  ended->after = EndedPosition{.id = cursor.last};
  ended->count_max = kRecalledAtOnce;
  return ended;
}

void PassRecalled(const std::optional<EndedPosition>& horizon, TaskCursor& cursor) {
  cursor.horizon = horizon ? horizon->id : kLastId;
}

bool FindSome(const EngineState& state, const TaskQuery& query, TaskCursor& cursor,
              absl::FunctionRef<void(const Task&)> each) {
  for (int looks = 0; looks < kLooks; looks += query.filter.cost()) {
    const size_t tenant = TenantOf(query, cursor);
    if (tenant >= state.tenants.size()) return false;
    const Task* task = NextOf(state.tenants[tenant], query, cursor.last);
    if (!IsInSight(state, query, cursor, task)) {
      cursor.last = std::max(cursor.last, cursor.horizon);
      return true;
    }
    if (task == nullptr) {
      if (!GoToNextTenant(state, query, cursor)) return false;
      continue;
    }
    cursor.last = task->id;
    if (query.Matches(state, *task)) each(*task);
  }
  return true;
}

}  // namespace grove::tasks
