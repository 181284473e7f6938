#include "server/tasks/turns.h"

#include <algorithm>
#include <utility>
#include <vector>

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

}  // namespace

void WakeQueue(EngineState& state, size_t index) {
  QueueState& queue = state.queues[index];
  if (queue.stand != Stand::kIdle || queue.backlog.empty() || queue.paused) return;
  PushReady(state, index);
}

void WakePool(EngineState& state, size_t index) {
  PoolState& pool = state.pools[index];
  if (pool.running < pool.size && !pool.blocked.empty()) {
    for (size_t queue : std::exchange(pool.blocked, {})) {
      state.queues[queue].stand = Stand::kIdle;
      WakeQueue(state, queue);
    }
  }
  WakeBlockedOnWorkers(state);
}

void WakeBlockedOnWorkers(EngineState& state) {
  if (state.blocked_on_workers.empty()) return;
  for (size_t queue : std::exchange(state.blocked_on_workers, {})) {
    state.queues[queue].stand = Stand::kIdle;
    WakeQueue(state, queue);
  }
}

void LookAgain(EngineState& state, size_t queue) {
  if (state.queues[queue].stand != Stand::kBlockedOnWorkers) return;
  std::vector<size_t>& blocked = state.blocked_on_workers;
  blocked.erase(std::find(blocked.begin(), blocked.end(), queue));
  state.queues[queue].stand = Stand::kIdle;
  WakeQueue(state, queue);
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
  const tenancy::Directory::Queue& settings = state.directory->queues()[queue];
  if (on == Stand::kBlockedOnPool) {
    state.pools[settings.pool].blocked.push_back(queue);
    return;
  }
  state.blocked_on_workers.push_back(queue);
  KeepOwed(state, queue);
}

void KeepOwed(EngineState& state, size_t queue) {
  if (TenantOf(state, queue).first_ready != kNoQueue) return;
  state.slots.StepAside(state.directory->queues()[queue].tenant, state.now_us);
}

}  // namespace grove::tasks
