// Tasks of one retention expire in the order in which they settled: each such time has a lane, of
// which only the first task is looked at. There are as many lanes as the config names times.
#include "server/tasks/retention.h"

#include <algorithm>
#include <optional>

#include "server/tasks/evicted_tasks.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

// Nothing has that end any more.
bool IsOver(const EngineState& state, const RetainedEnd& end) {
  if (const EvictedTask* evicted = FindEvicted(state, end.id)) return evicted->end_us != end.end_us;
  const Task* task = state.FindTask(end.id);
  return task == nullptr || !task->settled || task->past().end_us != end.end_us;
}

bool WasTold(const EngineState& state, TaskId id) {
  const Task* task = state.FindTask(id);
  return task == nullptr || task->past().settled_turn + 1 < state.turn;
}

// nullptr: there is none.
const RetainedEnd* FirstOf(const EngineState& state, RetentionLane& lane) {
  while (!lane.ends.empty() && IsOver(state, lane.ends.front())) lane.ends.pop_front();
  return lane.ends.empty() ? nullptr : &lane.ends.front();
}

void Drop(EngineState& state, TaskId id, Effects& effects) {
  Task* task = state.FindTask(id);
  return task == nullptr ? DropEvicted(state, id, effects) : DropTask(state, task, effects);
}

// Drops what is over in one lane, at most `max`; how many. Notes when the next one is.
int DropOver(EngineState& state, RetentionLane& lane, int max, Effects& effects) {
  int dropped = 0;
  for (const RetainedEnd* first = FirstOf(state, lane); first != nullptr;
       first = FirstOf(state, lane)) {
    const EngineMicros over_us = first->end_us + lane.retention_us;
    if (over_us > state.now_us || !WasTold(state, first->id) || dropped == max) {
      state.retained.next_drop_us = std::min(state.retained.next_drop_us, over_us);
      break;
    }
    Drop(state, first->id, effects);
    ++dropped;
  }
  return dropped;
}

// The oldest end of the lanes that `has` names; nullptr: there is none.
template <typename Has>
const RetainedEnd* OldestOf(EngineState& state, Has has) {
  const RetainedEnd* oldest = nullptr;
  for (RetentionLane& lane : state.retained.lanes) {
    if (!has(lane)) continue;
    const RetainedEnd* first = FirstOf(state, lane);
    if (first != nullptr && (oldest == nullptr || first->end_us < oldest->end_us)) oldest = first;
  }
  return oldest;
}

const RetainedEnd* FirstToLeave(EngineState& state) {
  const bool many_dead = state.retained.dead_letters * 2 > state.limits.retained_max();
  const bool dead = state.retained.others == 0 || many_dead;
  return OldestOf(state,
                  [dead](const RetentionLane& lane) { return lane.of_dead_letters == dead; });
}

// nullopt: all may stay as long as their retention.
std::optional<TaskId> NextToLeaveEarly(EngineState& state) {
  switch (LeavesEarly(state)) {
    case LeavesFirst::kNone:
      return std::nullopt;
    case LeavesFirst::kVolatile:
      return state.ended_volatile.front()->id;
    case LeavesFirst::kOldest:
      const RetainedEnd* oldest = OldestOf(state, [](const RetentionLane&) { return true; });
      return oldest == nullptr ? std::nullopt : std::optional(oldest->id);
  }
  return std::nullopt;
}

RetentionLane& LaneOf(EngineState& state, size_t queue, bool dead) {
  const int64_t retention_us =
      dead ? DeadLetterRetentionUs(state, queue) : RetentionUs(state, queue);
  for (RetentionLane& lane : state.retained.lanes) {
    if (lane.of_dead_letters == dead && lane.retention_us == retention_us) return lane;
  }
  return state.retained.lanes.emplace_back(
      RetentionLane{.of_dead_letters = dead, .retention_us = retention_us});
}

int64_t& CountOf(EngineState& state, v1::TaskState ended) {
  return IsDeadLetter(ended) ? state.retained.dead_letters : state.retained.others;
}

}  // namespace

bool IsDeadLetter(v1::TaskState ended) {
  return ended == v1::TASK_STATE_FAILED || ended == v1::TASK_STATE_TIMED_OUT;
}

int64_t DeadLetterRetentionUs(const EngineState& state, size_t queue) {
  const int64_t own_ms = state.directory->queues()[queue].dead_letter_retention_ms;
  return (own_ms > 0 ? own_ms : state.limits.dead_letter_retention_ms()) * kUsPerMs;
}

int64_t RetentionUs(const EngineState& state, size_t queue) {
  const int64_t own_ms = state.directory->queues()[queue].retention_ms;
  return (own_ms > 0 ? own_ms : state.limits.retention_ms()) * kUsPerMs;
}

int64_t LongestRetentionUs(const EngineState& state) {
  int64_t longest_us = 0;
  for (size_t i = 0; i < state.directory->queues().size(); ++i) {
    longest_us = std::max({longest_us, RetentionUs(state, i), DeadLetterRetentionUs(state, i)});
  }
  return longest_us;
}

void CountEnded(EngineState& state, size_t queue, v1::TaskState ended, int by) {
  state.queues[queue].ended += by;
  if (IsDeadLetter(ended)) state.queues[queue].dead_letters += by;
}

void Retain(EngineState& state, const RetainedEnd& end, size_t queue, v1::TaskState ended) {
  RetentionLane& lane = LaneOf(state, queue, IsDeadLetter(ended));
  lane.ends.push_back(end);
  state.retained.next_drop_us =
      std::min(state.retained.next_drop_us, end.end_us + lane.retention_us);
  ++CountOf(state, ended);
}

void Release(EngineState& state, v1::TaskState ended) {
  --CountOf(state, ended);
}

void OrderRetained(EngineState& state) {
  const auto earlier = [](const RetainedEnd& a, const RetainedEnd& b) {
    return a.end_us < b.end_us;
  };
  for (RetentionLane& lane : state.retained.lanes) {
    if (std::is_sorted(lane.ends.begin(), lane.ends.end(), earlier)) continue;
    std::stable_sort(lane.ends.begin(), lane.ends.end(), earlier);
  }
}

void DropOld(EngineState& state, Effects& effects) {
  int left = kDropsPerTickMax;
  if (state.retained.next_drop_us <= state.now_us) {
    state.retained.next_drop_us = INT64_MAX;
    for (RetentionLane& lane : state.retained.lanes) left -= DropOver(state, lane, left, effects);
  }
  for (; state.ended_count > state.limits.retained_max() && left > 0; --left) {
    const RetainedEnd* next = FirstToLeave(state);
    if (next == nullptr || !WasTold(state, next->id)) break;
    Drop(state, next->id, effects);
  }
  for (auto next = NextToLeaveEarly(state); next && WasTold(state, *next);
       next = NextToLeaveEarly(state)) {
    Drop(state, *next, effects);
  }
}

EngineMicros NextDrop(const EngineState& state) {
  if (state.ended_count > state.limits.retained_max()) return state.now_us;
  return state.ended_count == 0 ? INT64_MAX : state.retained.next_drop_us;
}

}  // namespace grove::tasks
