// Why nobody starves, and why it is cheap:
//
// * The rounds hold only queues that may have something to start. A queue is in its tenant's
//   `ready`, or where its obstacle is (QueueState::Stand): whatever removes the obstacle puts it
//   back, at the end of the round. A full pool with a million tasks behind it costs nothing.
// * Each turn starts one task, and then it is the next tenant's, and in that tenant the next
//   queue's. A tenant with a thousand queues gets no more turns than one with one queue.
// * A queue starts its tasks in its order and never looks behind the first. So when the first one's
//   workers are full, the queue waits as a whole; that keeps FIFO what it says, and is why
//   lifecycle.cc looks again when another task becomes the first.
// * A function that no worker knows would block its queue for as long as nobody deploys it. Such
//   tasks step aside (Strand) and come back to the front when a worker announces the function.
// * A turn that takes the last room leaves the rest where they are: the loop ends with `room`, not
//   with the queues, so a full daemon does not walk them once per event.
#include "server/tasks/dispatch.h"

#include <algorithm>

#include "server/tasks/lifecycle.h"

namespace grove::tasks {
namespace {

enum class Turn {
  kStarted,
  kSetAside,  // No worker knows the function: the task stands apart now.
  kBlocked,   // The queue waits elsewhere for what it lacks.
  kEmpty,
};

struct Pick {
  // -1: none has room.
  int32_t worker = -1;
  bool is_known = false;
};

Pick PickWorker(const EngineState& state, size_t function) {
  Pick pick;
  int64_t most = 0;
  for (int32_t i = 0; i < state.workers_end; ++i) {
    const WorkerView& worker = state.workers[i];
    if (!state.IsDispatchable(worker) || !worker.knows(function)) continue;
    pick.is_known = true;
    if (worker.room() <= most) continue;
    most = worker.room();
    pick.worker = i;
  }
  return pick;
}

int64_t TotalRoom(const EngineState& state) {
  int64_t room = 0;
  for (const WorkerView& worker : state.WorkersHeardOf()) {
    if (state.IsDispatchable(worker)) room += std::max<int64_t>(worker.room(), 0);
  }
  return room;
}

Turn TakeTurn(EngineState& state, size_t index, Effects& effects) {
  QueueState& queue = state.queues[index];
  Task* task = queue.backlog.Front();
  if (task == nullptr) return Turn::kEmpty;
  PoolState& pool = state.pools[state.directory->queues()[index].pool];
  if (pool.running >= pool.size) {
    pool.blocked.push_back(index);
    queue.stand = QueueState::Stand::kBlockedOnPool;
    return Turn::kBlocked;
  }
  const Pick pick = PickWorker(state, task->function);
  if (pick.worker >= 0) {
    StartOn(state, task, pick.worker, effects);
    return Turn::kStarted;
  }
  if (!pick.is_known) {
    Strand(state, task);
    return Turn::kSetAside;
  }
  state.blocked_on_workers.push_back(index);
  queue.stand = QueueState::Stand::kBlockedOnWorkers;
  return Turn::kBlocked;
}

}  // namespace

void Dispatch(EngineState& state, Effects& effects) {
  int64_t room = TotalRoom(state);
  int budget = kDispatchPerTickMax;
  while (room > 0 && budget > 0 && !state.tenants_in_turn.empty()) {
    const size_t tenant_index = state.tenants_in_turn.front();
    TenantState& tenant = state.tenants[tenant_index];
    const size_t queue = tenant.ready.front();
    const Turn turn = TakeTurn(state, queue, effects);
    tenant.ready.pop_front();
    if (turn == Turn::kStarted || turn == Turn::kSetAside) {
      tenant.ready.push_back(queue);
      --budget;
    }
    if (turn == Turn::kStarted) --room;
    if (turn == Turn::kEmpty) state.queues[queue].stand = QueueState::Stand::kIdle;
    state.tenants_in_turn.pop_front();
    if (!tenant.ready.empty()) state.tenants_in_turn.push_back(tenant_index);
  }
  state.dispatch_unfinished = room > 0 && !state.tenants_in_turn.empty();
}

}  // namespace grove::tasks
