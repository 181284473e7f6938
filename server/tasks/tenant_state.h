// TenantState: a tenant as the engine knows it.
//
// An idle one is to cost little: what few have is behind a pointer.
#ifndef GROVE_SERVER_TASKS_TENANT_STATE_H_
#define GROVE_SERVER_TASKS_TENANT_STATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/limit_key.h"
#include "server/tasks/task.h"
#include "server/tasks/task_id.h"
#include "server/tasks/task_index.h"
#include "server/tenancy/gcra.h"

namespace grove::tasks {

inline constexpr size_t kNoQueue = SIZE_MAX;

// Of a tenant that has tasks, or had some a moment ago.
struct TenantUse {
  RequestIndex request_ids;
  // Of evicted tasks (evicted_tasks.h).
  absl::flat_hash_map<std::string, TaskId> evicted_requests;
  // Tasks that only the store has.
  int64_t evicted = 0;
  // What is used of its quotas. Tasks that are SCHEDULED or QUEUED, and their inputs; slots that
  // attempts hold, abandoned ones too.
  int64_t waiting = 0;
  int64_t waiting_bytes = 0;
  int64_t slots = 0;
  tenancy::Gcra spawns;
  // Queues that found too few slots left, in the order of their turns.
  std::vector<size_t> blocked;
  LimitKeys keys;

  // As if it had never been used.
  bool is_over(EngineMicros now_us) const {
    return request_ids.empty() && evicted == 0 && waiting == 0 && slots == 0 && blocked.empty() &&
           keys.empty() && spawns.full_at_ns() <= now_us * 1000;
  }
};

struct TenantState {
  // Queues that could start a task, in the order of their turns: chained through `after`.
  size_t first_ready = kNoQueue;
  size_t last_ready = kNoQueue;
  // Its tasks, and of them the settled ones, oldest end first: what its lists are made of.
  absl::btree_map<TaskId, Task*> tasks;
  IntrusiveList<Task, &Task::end_hook> ended;
  // nullptr: there is nothing to say.
  std::unique_ptr<TenantUse> used;

  const TenantUse& use() const {
    static const auto* const kNone = new TenantUse();
    return used == nullptr ? *kNone : *used;
  }
  void ForgetIfUnused(EngineMicros now_us) {
    if (tasks.empty() && use().is_over(now_us)) used.reset();
  }
  TenantUse& InUse() {
    if (used == nullptr) used = std::make_unique<TenantUse>();
    return *used;
  }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TENANT_STATE_H_
