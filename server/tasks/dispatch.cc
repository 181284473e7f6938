// Why nobody starves, and why it is cheap:
//
// * The tenants that have something to start wait for worker time, and SlotShares says whose turn
// it
//   is (fair_shares.cc). A queue is among its tenant's ready ones, or where its obstacle is
//   (QueueState::Stand): whatever removes the obstacle puts it back, behind the others. A full pool
//   with a million tasks behind it costs nothing.
// * Each turn starts one task, and then it is the turn of whoever is furthest behind, and in that
//   tenant of the next queue. A tenant with a thousand queues gets no more than one with one queue.
// * A queue starts its tasks in its order and never looks behind the first. So when the first one's
//   workers are full, the queue waits as a whole; that keeps FIFO what it says, and is why
//   lifecycle.cc looks again when another task becomes the first.
// * A function that no worker knows would block its queue for as long as nobody deploys it. Such
//   tasks step aside (Strand) and come back to the front when a worker announces the function.
// * So would a function of which as many attempts run as may at once (concurrency_max). Its tasks
//   step aside one by one (StandAside), each queue's in their order, and whenever an attempt of the
//   function ends, one of each queue comes back to the front: whose turn it is decides which of
//   them starts.
// * A turn that takes the last room leaves the rest where they are: the loop ends with `room`, not
//   with the queues, so a full daemon does not walk them once per event.
#include "server/tasks/dispatch.h"

#include <algorithm>

#include "server/tasks/lifecycle.h"
#include "server/tasks/workers.h"

namespace grove::tasks {
namespace {

using Stand = QueueState::Stand;

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

// Of a ready queue. True if a task has started.
bool TakeTurn(EngineState& state, size_t index, Effects& effects) {
  QueueState& queue = state.queues[index];
  Task* task = queue.backlog.Front();
  const PoolState& pool = state.pools[state.directory->queues()[index].pool];
  if (pool.running >= pool.size) {
    Block(state, index, Stand::kBlockedOnPool);
    return false;
  }
  if (state.functions[task->function].is_full()) {
    StandAside(state, task);
    return false;
  }
  const Pick pick = PickWorker(state, task->function);
  if (pick.worker < 0 && pick.is_known) {
    Block(state, index, Stand::kBlockedOnWorkers);
    return false;
  }
  if (pick.worker >= 0) {
    StartOn(state, task, pick.worker, effects);
  } else {
    Strand(state, task);
  }
  if (queue.stand == Stand::kReady) PutLast(state, index);
  return pick.worker >= 0;
}

}  // namespace

Slots CountSlots(const EngineState& state) {
  Slots slots;
  for (const WorkerView& worker : state.WorkersHeardOf()) {
    if (!state.IsDispatchable(worker)) continue;
    slots.all += worker.capacity;
    slots.room += std::max<int64_t>(worker.room(), 0);
  }
  return slots;
}

void Dispatch(EngineState& state, Effects& effects) {
  const Slots slots = CountSlots(state);
  state.slots.SetSlots(slots.all, state.now_us);
  state.dispatch_unfinished = false;
  if (AwaitsWorkers(state)) return;
  int64_t room = slots.room;
  int budget = kDispatchPerTickMax;
  while (room > 0 && budget > 0 && state.slots.any_waits()) {
    const size_t tenant = state.slots.Next(state.now_us);
    if (TakeTurn(state, state.tenants[tenant].first_ready, effects)) --room;
    --budget;
  }
  state.dispatch_unfinished = room > 0 && state.slots.any_waits();
}

int64_t IdleBesideBacklog(const EngineState& state) {
  const int64_t room = CountSlots(state).room;
  if (room == 0 || state.dispatch_unfinished || AwaitsWorkers(state)) return 0;
  for (size_t i = 0; i < state.queues.size(); ++i) {
    const Task* task = state.queues[i].backlog.Front();
    const tenancy::Directory::Queue& settings = state.directory->queues()[i];
    if (task == nullptr || state.queues[i].paused) continue;
    const PoolState& pool = state.pools[settings.pool];
    if (state.functions[task->function].is_full()) continue;
    if (pool.running < pool.size && PickWorker(state, task->function).worker >= 0) return room;
  }
  return 0;
}

}  // namespace grove::tasks
