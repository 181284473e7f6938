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
//   them starts. So do tasks whose limit key has too few slots left.
// * A pool that is full, or a tenant's quota, holds whole queues.
// * A turn that takes the last room leaves the rest where they are: the loop ends with `room`, not
//   with the queues, so a full daemon does not walk them once per event.
#include "server/tasks/dispatch.h"

#include <algorithm>

#include "server/tasks/lifecycle.h"
#include "server/tasks/slot_bounds.h"
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
  for (const int32_t i : state.heard_of) {
    const WorkerView& worker = state.workers[i];
    if (!state.IsDispatchable(worker) || !worker.knows(function)) continue;
    pick.is_known = true;
    if (worker.room() <= most) continue;
    most = worker.room();
    pick.worker = i;
  }
  return pick;
}

// The queue waits as a whole, or the task beside it.
void MakeWay(EngineState& state, Task* task, Obstacle obstacle) {
  switch (obstacle) {
    case Obstacle::kNone:
      return;
    case Obstacle::kPool:
      return Block(state, task->queue, Stand::kBlockedOnPool);
    case Obstacle::kQuota:
      return Block(state, task->queue, Stand::kBlockedOnQuota);
    case Obstacle::kFunction:
      return StandAside(state, task, Task::Place::kAside);
    case Obstacle::kFirstKey:
      return StandAside(state, task, Task::Place::kAsideOfFirstKey);
    case Obstacle::kSecondKey:
      return StandAside(state, task, Task::Place::kAsideOfSecondKey);
  }
}

// Of a ready queue. True if a task has started.
bool TakeTurn(EngineState& state, size_t index, Effects& effects) {
  QueueState& queue = state.queues[index];
  Task* task = queue.backlog.Front();
  const Obstacle obstacle = ObstacleOf(state, *task);
  if (obstacle != Obstacle::kNone) {
    MakeWay(state, task, obstacle);
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
  for (const int32_t i : state.heard_of) {
    const WorkerView& worker = state.workers[i];
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
    if (task == nullptr || state.queues[i].paused) continue;
    if (ObstacleOf(state, *task) != Obstacle::kNone) continue;
    if (PickWorker(state, task->function).worker >= 0) return room;
  }
  return 0;
}

}  // namespace grove::tasks
