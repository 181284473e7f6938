// A task that takes several slots starts when all of them are free. What came after it in its queue
// does not pass it where the pool or the quota is what it waits for, nor where a key is and the
// other has the same one; so it need not wait for ever, and no slot is kept idle for it beside
// tasks of other queues.
#include "server/tasks/slot_bounds.h"

#include <utility>

#include "server/tasks/gateway_functions.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/places.h"
#include "server/tasks/turns.h"

namespace grove::tasks {
namespace {

bool Fits(int64_t used, int64_t more, int64_t max) {
  return max == 0 || used + more <= max;
}

int64_t QuotaOf(const EngineState& state, size_t tenant) {
  return state.directory->QuotasOf(tenant).running_max;
}

// Too few slots, or one of its queue has waited for them longer.
bool IsHeldBy(const EngineState& state, LimitKey& key, const Task& task) {
  if (!FitsKey(state, key, task)) return true;
  const auto aside = key.aside.queues.find(task.queue);
  return aside != key.aside.queues.end() && aside->second.called != &task &&
         aside->second.ComesAfter(task);
}

}  // namespace

bool FitsPool(const EngineState& state, const Task& task) {
  const PoolState& pool = state.pools[state.directory->queues()[task.queue].pool];
  return pool.running + task.spec.slot_cost <= pool.size;
}

bool FitsQuota(const EngineState& state, const Task& task) {
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  return Fits(state.tenants[tenant].use().slots, task.spec.slot_cost, QuotaOf(state, tenant));
}

bool FitsKey(const EngineState& state, LimitKey& key, const Task& task) {
  const tenancy::Limit* limit = LimitOf(state, key);
  return limit == nullptr || Fits(key.slots, task.spec.slot_cost, limit->running_max);
}

Obstacle ObstacleOf(const EngineState& state, const Task& task) {
  const tenancy::Directory::Queue& queue = state.directory->queues()[task.queue];
  const PoolState& pool = state.pools[queue.pool];
  if (pool.running >= pool.size) return Obstacle::kPool;
  if (!Fits(state.tenants[queue.tenant].use().slots, 1, QuotaOf(state, queue.tenant))) {
    return Obstacle::kQuota;
  }
  if (state.functions[task.function].is_full() || IsFullAtGateway(state, task.function)) {
    return Obstacle::kFunction;
  }
  if (task.key != nullptr) {
    LimitKey* const first = task.key->parent != nullptr ? task.key->parent : task.key;
    if (IsHeldBy(state, *first, task)) return Obstacle::kFirstKey;
    if (task.key != first && IsHeldBy(state, *task.key, task)) return Obstacle::kSecondKey;
  }
  if (!FitsPool(state, task)) return Obstacle::kPool;
  return FitsQuota(state, task) ? Obstacle::kNone : Obstacle::kQuota;
}

void CountWaiting(EngineState& state, const Task& task, int sign) {
  TenantUse& tenant = state.TenantOf(task).InUse();
  state.waiting += sign;
  tenant.waiting += sign;
  tenant.waiting_bytes += sign * task.input_bytes;
  ForEachLevel(task.key, [sign](LimitKey& key) { key.waiting += sign; });
}

void TakeSlots(EngineState& state, LiveAttempt* attempt) {
  const tenancy::Directory::Queue& queue = state.directory->queues()[attempt->queue];
  state.pools[queue.pool].running += attempt->slots;
  state.tenants[queue.tenant].InUse().slots += attempt->slots;
  ForEachLevel(attempt->key, [attempt](LimitKey& key) {
    key.slots += attempt->slots;
    key.aside.last = attempt->queue;
  });
  if (attempt->key != nullptr) ++attempt->key->users;
}

void GiveSlots(EngineState& state, LiveAttempt* attempt) {
  if (!std::exchange(attempt->holds_slots, false)) return;
  const tenancy::Directory::Queue& queue = state.directory->queues()[attempt->queue];
  state.pools[queue.pool].running -= attempt->slots;
  state.tenants[queue.tenant].InUse().slots -= attempt->slots;
  ForEachLevel(attempt->key, [attempt](LimitKey& key) { key.slots -= attempt->slots; });
  WakePool(state, queue.pool);
  WakeTenant(state, queue.tenant);
  ForEachLevel(attempt->key, [&state](LimitKey& key) { WakeKey(state, key); });
  if (attempt->key != nullptr) LeaveKey(state, std::exchange(attempt->key, nullptr));
}

void Rebound(EngineState& state, size_t tenant) {
  ++state.limits_version;
  WakeTenant(state, tenant);
  TenantUse* const used = state.tenants[tenant].used.get();
  if (used == nullptr) return;
  for (auto& [name, key] : used->keys) WakeKey(state, key);
}

}  // namespace grove::tasks
