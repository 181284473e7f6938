#include "server/tasks/turns.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/tasks/gateway_functions.h"
#include "server/tasks/slot_bounds.h"

namespace grove::tasks {
namespace {

using Stand = QueueState::Stand;

TenantState& TenantOf(EngineState& state, size_t queue) {
  return state.tenants[state.directory->queues()[queue].tenant];
}

void Append(EngineState& state, TenantState& tenant, size_t index) {
  QueueState& queue = state.queues[index];
  queue.before = tenant.last_ready;
  queue.after = kNoQueue;
  (tenant.last_ready != kNoQueue ? state.queues[tenant.last_ready].after : tenant.first_ready) =
      index;
  tenant.last_ready = index;
}

void Unlink(EngineState& state, TenantState& tenant, size_t index) {
  const QueueState& queue = state.queues[index];
  (queue.before != kNoQueue ? state.queues[queue.before].after : tenant.first_ready) = queue.after;
  (queue.after != kNoQueue ? state.queues[queue.after].before : tenant.last_ready) = queue.before;
}

void PushReady(EngineState& state, size_t queue) {
  const size_t tenant = state.directory->queues()[queue].tenant;
  if (state.tenants[tenant].first_ready == kNoQueue) state.slots.Wait(tenant, state.now_us);
  Append(state, state.tenants[tenant], queue);
  state.queues[queue].stand = Stand::kReady;
}

// Where a queue stands that waits for something; nullptr: it is ready, or idle.
std::vector<size_t>* BlockedWith(EngineState& state, size_t index) {
  const tenancy::Directory::Queue& settings = state.directory->queues()[index];
  switch (state.queues[index].stand) {
    case Stand::kBlockedOnPool:
      return &state.pools[settings.pool].blocked;
    case Stand::kBlockedOnQuota:
      return &state.tenants[settings.tenant].InUse().blocked;
    case Stand::kBlockedOnWorkers:
      return &state.blocked_on_workers;
    default:
      return nullptr;
  }
}

void WakeAll(EngineState& state, std::vector<size_t>& blocked) {
  if (blocked.empty()) return;
  for (size_t queue : std::exchange(blocked, {})) {
    state.queues[queue].stand = Stand::kIdle;
    WakeQueue(state, queue);
  }
}

}  // namespace

void WakeQueue(EngineState& state, size_t index) {
  QueueState& queue = state.queues[index];
  if (queue.stand != Stand::kIdle || queue.backlog.empty() || queue.paused) return;
  PushReady(state, index);
}

void WakePool(EngineState& state, size_t index) {
  PoolState& pool = state.pools[index];
  if (pool.running < pool.size) WakeAll(state, pool.blocked);
}

void WakeTenant(EngineState& state, size_t index) {
  TenantUse* const used = state.tenants[index].used.get();
  const int64_t max = state.directory->QuotasOf(index).running_max;
  if (used != nullptr && (max == 0 || used->slots < max)) WakeAll(state, used->blocked);
}

void WakeBlockedOnWorkers(EngineState& state) {
  WakeAll(state, state.blocked_on_workers);
  WakeGatewayFunctions(state);
}

void LookAgain(EngineState& state, size_t index) {
  QueueState& queue = state.queues[index];
  std::vector<size_t>* const blocked = BlockedWith(state, index);
  if (blocked == nullptr) return;
  if (queue.stand != Stand::kBlockedOnWorkers && queue.backlog.Front() != nullptr) {
    // What is full for all is so for this one, too.
    const Obstacle obstacle = ObstacleOf(state, *queue.backlog.Front());
    const bool on_pool = queue.stand == Stand::kBlockedOnPool;
    if (obstacle == (on_pool ? Obstacle::kPool : Obstacle::kQuota)) return;
  }
  blocked->erase(std::find(blocked->begin(), blocked->end(), index));
  queue.stand = Stand::kIdle;
  WakeQueue(state, index);
}

void PutLast(EngineState& state, size_t queue) {
  TenantState& tenant = TenantOf(state, queue);
  if (tenant.last_ready == queue) return;
  Unlink(state, tenant, queue);
  Append(state, tenant, queue);
}

void Rest(EngineState& state, size_t queue) {
  TenantState& tenant = TenantOf(state, queue);
  Unlink(state, tenant, queue);
  state.queues[queue].stand = Stand::kIdle;
  if (tenant.first_ready == kNoQueue) {
    state.slots.Leave(state.directory->queues()[queue].tenant, state.now_us);
  }
}

void Block(EngineState& state, size_t queue, Stand on) {
  Rest(state, queue);
  state.queues[queue].stand = on;
  BlockedWith(state, queue)->push_back(queue);
  if (on == Stand::kBlockedOnWorkers) KeepOwed(state, queue);
}

void KeepOwed(EngineState& state, size_t queue) {
  if (TenantOf(state, queue).first_ready != kNoQueue) return;
  state.slots.StepAside(state.directory->queues()[queue].tenant, state.now_us);
}

}  // namespace grove::tasks
