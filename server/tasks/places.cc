#include "server/tasks/places.h"

#include <span>

#include "server/tasks/gateway_functions.h"
#include "server/tasks/slot_bounds.h"
#include "server/tasks/turns.h"

namespace grove::tasks {
namespace {

using Place = Task::Place;

constexpr Place kAsides[] = {Place::kAside, Place::kAsideOfFirstKey, Place::kAsideOfSecondKey};
constexpr std::span<const Place> kAsidesOfKeys = std::span(kAsides).subspan(1);

// nullptr: it has no such key, or `place` is no aside.
LimitKey* KeyOf(const Task& task, Place place) {
  if (task.key == nullptr) return nullptr;
  const bool has_two = task.key->parent != nullptr;
  if (place == Place::kAsideOfFirstKey) return has_two ? task.key->parent : task.key;
  return place == Place::kAsideOfSecondKey && has_two ? task.key : nullptr;
}

// Where those stand that wait for the same; nullptr as above.
Lane* LaneOf(EngineState& state, const Task& task, Place place) {
  if (place == Place::kAside) return &state.functions[task.function].aside;
  LimitKey* const key = KeyOf(task, place);
  return key == nullptr ? nullptr : &key->aside;
}

bool MayComeBack(const EngineState& state, const Task& task, Place place, const AsideTasks& aside) {
  if (place == Place::kAside) return HasRoom(state, task.function, aside);
  return HasRoom(state, *KeyOf(task, place), aside);
}

void JoinBacklog(EngineState& state, Task* task, bool to_front) {
  QueueState& queue = state.queues[task->queue];
  task->place = Place::kBacklog;
  ++state.backlogged;
  to_front ? queue.backlog.PushFront(task) : queue.backlog.Push(task);
  WakeQueue(state, task->queue);
  if (queue.backlog.Front() == task) LookAgain(state, task->queue);
}

// The next one of those that stand aside. Requires that it may come back.
void CallBack(EngineState& state, AsideTasks& aside) {
  Task* task = aside.Front();
  aside.Remove(task);
  aside.called = task;
  JoinBacklog(state, task, /*to_front=*/true);
}

void ForgetIfEmpty(Lane& lane, size_t queue) {
  const auto entry = lane.queues.find(queue);
  const AsideTasks& aside = entry->second;
  if (aside.empty() && aside.called == nullptr) lane.queues.erase(entry);
}

// Calls back one of each queue, where there is room for it; the queue whose turn was last comes
// last.
template <typename MayCome>
void WakeLane(EngineState& state, Lane& lane, MayCome may_come) {
  const auto first = lane.queues.upper_bound(lane.last);
  for (auto entry = first; entry != lane.queues.end(); ++entry) {
    if (may_come(entry->second)) CallBack(state, entry->second);
  }
  for (auto entry = lane.queues.begin(); entry != first; ++entry) {
    if (may_come(entry->second)) CallBack(state, entry->second);
  }
}

// If it was called back by one of these: it is the turn of the one after it.
void PassOn(EngineState& state, Task* task, std::span<const Place> asides = kAsides) {
  for (const Place place : asides) {
    Lane* const lane = LaneOf(state, *task, place);
    if (lane == nullptr || lane->queues.empty()) continue;
    const auto entry = lane->queues.find(task->queue);
    if (entry == lane->queues.end() || entry->second.called != task) continue;
    entry->second.called = nullptr;
    if (MayComeBack(state, *task, place, entry->second)) CallBack(state, entry->second);
    ForgetIfEmpty(*lane, task->queue);
  }
}

void LeaveAside(EngineState& state, Task* task) {
  Lane& lane = *LaneOf(state, *task, task->place);
  AsideTasks& aside = lane.queues.at(task->queue);
  const bool was_next = aside.Front() == task;
  aside.Remove(task);
  // It may have been the one that takes more than there is.
  if (was_next && MayComeBack(state, *task, task->place, aside)) CallBack(state, aside);
  ForgetIfEmpty(lane, task->queue);
}

void LeaveBacklog(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  const bool was_first = queue.backlog.Front() == task;
  queue.backlog.Remove(task);
  --state.backlogged;
  PassOn(state, task);
  if (queue.stand == QueueState::Stand::kReady && queue.backlog.empty()) Rest(state, task->queue);
  if (was_first) LookAgain(state, task->queue);
}

}  // namespace

bool HasRoom(const EngineState& state, size_t function, const AsideTasks& aside) {
  return aside.called == nullptr && !aside.empty() && MayStart(state, function);
}

bool HasRoom(const EngineState& state, LimitKey& key, const AsideTasks& aside) {
  return aside.called == nullptr && !aside.empty() && FitsKey(state, key, *aside.Front());
}

void TakePlace(EngineState& state, Task* task, bool to_front) {
  // Invariant 8: not before it is on disk; otherwise it could run and be forgotten.
  if (task->spec.durable && !task->stored) return;
  if (task->is_paused()) {
    task->place = Place::kPaused;
  } else {
    JoinBacklog(state, task, to_front);
  }
}

void LeavePlace(EngineState& state, Task* task) {
  switch (task->place) {
    case Place::kNone:
    case Place::kPaused:
      break;
    case Place::kBacklog:
      LeaveBacklog(state, task);
      break;
    case Place::kStranded:
      state.functions[task->function].stranded.Remove(task);
      break;
    case Place::kAside:
    case Place::kAsideOfFirstKey:
    case Place::kAsideOfSecondKey:
      LeaveAside(state, task);
      break;
  }
  task->place = Place::kNone;
}

bool LeaveKeyLanes(EngineState& state, Task* task) {
  if (task->place == Place::kBacklog) PassOn(state, task, kAsidesOfKeys);
  if (KeyOf(*task, task->place) == nullptr) return false;
  LeavePlace(state, task);
  return true;
}

void Strand(EngineState& state, Task* task) {
  LeaveBacklog(state, task);
  state.functions[task->function].stranded.PushBack(task);
  task->place = Place::kStranded;
}

void StandAside(EngineState& state, Task* task, Place place) {
  LeaveBacklog(state, task);
  // A limit is its tenant's own: nothing is owed for that.
  if (place == Place::kAside) KeepOwed(state, task->queue);
  const auto order = state.directory->queues()[task->queue].order;
  AsideTasks& aside =
      LaneOf(state, *task, place)
          ->queues.try_emplace(task->queue, order, state.limits.ageing_ms() * kUsPerMs)
          .first->second;
  aside.Put(task);
  task->place = place;
}

// From the last to the first, each to the front: their order stays.
void Unstrand(EngineState& state, size_t function) {
  auto& stranded = state.functions[function].stranded;
  while (Task* task = stranded.back()) {
    stranded.Remove(task);
    JoinBacklog(state, task, /*to_front=*/true);
  }
}

void WakeFunction(EngineState& state, size_t index) {
  WakeLane(state, state.functions[index].aside,
           [&](const AsideTasks& aside) { return HasRoom(state, index, aside); });
}

void WakeKey(EngineState& state, LimitKey& key) {
  WakeLane(state, key.aside, [&](const AsideTasks& aside) { return HasRoom(state, key, aside); });
}

}  // namespace grove::tasks
