#include "server/tasks/tenants.h"

#include <algorithm>
#include <iterator>

#include "runtime/hub/check.h"
#include "server/tasks/evicted_tasks.h"
#include "server/tasks/gateway_functions.h"
#include "server/tasks/invariants.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/slot_bounds.h"

namespace grove::tasks {
namespace {

// Tasks one step looks at: below a millisecond where none is the tenant's.
constexpr int kSweptPerStepMax = 4096;
// And changes.
constexpr int kChangedPerStepMax = 512;

int64_t HeldOf(const EngineState& state, size_t tenant) {
  int64_t held = 0;
  for (const auto& [of, counts] : state.counts) {
    if (state.directory->queues()[of.first].tenant != tenant) continue;
    for (const int64_t count : counts) held += count;
  }
  return held;
}

// As DropOld(): whoever waits for its end is answered first.
bool MayBeDropped(const EngineState& state, const Task& task) {
  return task.settled && task.past().settled_turn + 1 < state.turn;
}

// False: there is nothing to be done with it.
bool SweepTask(EngineState& state, Task* task, TenantSweep what, Effects& effects) {
  if (what == TenantSweep::kCancel && !task->ended()) {
    CancelTask(state, task, "its tenant is being deleted", effects);
    return true;
  }
  if (what != TenantSweep::kDropEnded || !MayBeDropped(state, *task)) return false;
  DropTask(state, task, effects);
  return true;
}

// Some of those that only the store has; false: there may be more.
bool DropSomeEvicted(EngineState& state, size_t tenant, Effects& effects) {
  // All tenants' are in one set: the next sweep goes on where this one has found something.
  TaskId& next = state.evicted_sweeps[tenant];
  int changed = 0;
  auto it = state.evicted.lower_bound(next);
  for (int seen = 0; it != state.evicted.end(); ++seen) {
    next = it->first;
    if (seen == kSweptPerStepMax || changed == kChangedPerStepMax) return false;
    ++it;
    const EvictedTask* task = FindEvicted(state, next);
    if (state.directory->queues()[task->queue].tenant != tenant) continue;
    DropEvicted(state, next, effects);
    ++changed;
    it = state.evicted.upper_bound(next);
  }
  state.evicted_sweeps.erase(tenant);
  return state.tenants[tenant].use().evicted == 0;
}

void CheckAfter(const EngineState& state) {
  if (state.self_check == SelfCheck::kNever) return;
  const absl::Status holds = CheckInvariants(state);
  GROVE_CHECK(holds.ok(), std::string(holds.message()));
}

}  // namespace

TenantLoad LoadOf(const EngineState& state, size_t tenant) {
  TenantLoad load;
  state.directory->ForEachQueueOf(tenant, [&](size_t index) {
    const QueueState& queue = state.queues[index];
    load.queued += queue.queued;
    load.scheduled += queue.scheduled;
    load.running += queue.running;
  });
  load.queued_bytes = state.tenants[tenant].use().waiting_bytes;
  load.running_slots = state.tenants[tenant].use().slots;
  if (state.payloads != nullptr) {
    load.payload_bytes = state.payloads->BytesOf(state.directory->tenants()[tenant].name);
  }
  return load;
}

bool SweepTenant(EngineState& state, size_t tenant, TenantSweep what, TaskId& after,
                 Effects& effects) {
  const absl::btree_map<TaskId, Task*>& tasks = state.tenants[tenant].tasks;
  auto it = tasks.upper_bound(after);
  int changed = 0;
  for (int seen = 0; it != tasks.end(); ++seen) {
    if (seen == kSweptPerStepMax || changed == kChangedPerStepMax) return false;
    after = it->first;
    const bool has_changed = SweepTask(state, it->second, what, effects);
    changed += has_changed;
    // The task may be gone, and `it` with it.
    it = has_changed ? tasks.upper_bound(after) : std::next(it);
  }
  const bool drops = what == TenantSweep::kDropEnded;
  if (drops && state.tenants[tenant].use().evicted > 0 &&
      !DropSomeEvicted(state, tenant, effects)) {
    return false;
  }
  after = TaskId();
  if (drops) DropFunctionsOf(state, state.directory->tenants()[tenant].name, effects);
  return true;
}

bool IsUnused(const EngineState& state, size_t tenant) {
  const TenantLoad load = LoadOf(state, tenant);
  if (load.live() > 0 || HeldOf(state, tenant) > 0) return false;
  // Abandoned ones have no task any more.
  return std::none_of(state.attempts.begin(), state.attempts.end(), [&](const auto& attempt) {
    return state.directory->queues()[attempt.second->queue].tenant == tenant;
  });
}

void ForgetTenant(EngineState& state, size_t tenant) {
  GROVE_CHECK(IsUnused(state, tenant), "a tenant with tasks or attempts is forgotten");
  state.slots.Forget(tenant);
  ForgetKeysOf(state, tenant);
  state.changes.Forget(tenant);
  state.tenants[tenant] = TenantState();
  state.directory->ForEachQueueOf(tenant, [&](size_t index) {
    QueueState& queue = state.queues[index];
    std::erase(state.blocked_on_workers, index);
    queue.stand = QueueState::Stand::kIdle;
    queue.spawned = 0;
    queue.rejected = 0;
  });
  state.directory->ForEachPoolOf(tenant, [&](size_t index) {
    state.pools[index] = PoolState{.size = tenancy::kPoolSizeDefault};
  });
  absl::erase_if(state.counts, [&](const auto& each) {
    return state.directory->queues()[each.first.first].tenant == tenant;
  });
}

void TaskEngine::Grow() {
  state_->Grow();
  CheckAfter(*state_);
}

bool TaskEngine::SweepTenant(size_t tenant, TenantSweep what, TaskId& after, EngineMicros now_us,
                             Effects& effects) {
  state_->Advance(now_us);
  const bool seen_all = tasks::SweepTenant(*state_, tenant, what, after, effects);
  CheckAfter(*state_);
  return seen_all;
}

void TaskEngine::Reweigh(size_t tenant, EngineMicros now_us) {
  state_->Advance(now_us);
  state_->Reweigh(tenant);
}

void TaskEngine::Rebound(size_t tenant, EngineMicros now_us) {
  state_->Advance(now_us);
  tasks::Rebound(*state_, tenant);
  CheckAfter(*state_);
}

TenantLoad TaskEngine::LoadOf(size_t tenant) const {
  return tasks::LoadOf(*state_, tenant);
}

bool TaskEngine::IsUnused(size_t tenant) const {
  return tasks::IsUnused(*state_, tenant);
}

void TaskEngine::ForgetTenant(size_t tenant) {
  tasks::ForgetTenant(*state_, tenant);
  CheckAfter(*state_);
}

uint64_t TaskEngine::last_ticket() const {
  return state_->last_ticket;
}

}  // namespace grove::tasks
