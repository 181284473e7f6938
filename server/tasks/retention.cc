// Tasks of one retention expire in the order in which they settled: each such time has a lane, of
// which only the first task is looked at. There are as many lanes as the config names times.
#include "server/tasks/retention.h"

#include <algorithm>

#include "server/tasks/lifecycle.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

int64_t RetentionOf(const EngineState& state, const Task& task) {
  return IsDeadLetter(task) ? DeadLetterRetentionUs(state, task.queue)
                            : RetentionUs(state, task.queue);
}

bool WasTold(const EngineState& state, const TaskPast& past) {
  return past.settled_turn + 1 < state.turn;
}

// Drops what is over in one lane, at most `max`; how many. Notes when the next one is.
int DropOver(EngineState& state, RetentionLane& lane, int max, Effects& effects) {
  int dropped = 0;
  for (TaskPast* first = lane.tasks.front(); first != nullptr; first = lane.tasks.front()) {
    const EngineMicros over_us = first->end_us + lane.retention_us;
    if (over_us > state.now_us || !WasTold(state, *first) || dropped == max) {
      state.retained.next_drop_us = std::min(state.retained.next_drop_us, over_us);
      break;
    }
    DropTask(state, first->task, effects);
    ++dropped;
  }
  return dropped;
}

// Requires that there is one.
TaskPast* FirstToLeave(const EngineState& state) {
  const EndedKind& others = state.retained.others;
  const EndedKind& dead = state.retained.dead_letters;
  const bool many_dead = dead.count * 2 > state.limits.retained_max();
  return others.tasks.empty() || many_dead ? dead.tasks.front() : others.tasks.front();
}

RetentionLane& LaneOf(EngineState& state, int64_t retention_us) {
  for (RetentionLane& lane : state.retained.lanes) {
    if (lane.retention_us == retention_us) return lane;
  }
  return state.retained.lanes.emplace_back(RetentionLane{.retention_us = retention_us});
}

}  // namespace

bool IsDeadLetter(const Task& task) {
  return task.state == v1::TASK_STATE_FAILED || task.state == v1::TASK_STATE_TIMED_OUT;
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

void CountEnded(EngineState& state, const Task& task, int by) {
  state.queues[task.queue].ended += by;
  if (IsDeadLetter(task)) state.queues[task.queue].dead_letters += by;
}

void Retain(EngineState& state, Task* task) {
  TaskPast& past = task->Past();
  past.task = task;
  const int64_t retention_us = RetentionOf(state, *task);
  LaneOf(state, retention_us).tasks.PushBack(&past);
  state.retained.next_drop_us = std::min(state.retained.next_drop_us, past.end_us + retention_us);
  EndedKind& kind = IsDeadLetter(*task) ? state.retained.dead_letters : state.retained.others;
  kind.tasks.PushBack(&past);
  ++kind.count;
}

void Release(EngineState& state, Task* task) {
  LaneOf(state, RetentionOf(state, *task)).tasks.Remove(&task->Past());
  EndedKind& kind = IsDeadLetter(*task) ? state.retained.dead_letters : state.retained.others;
  kind.tasks.Remove(&task->Past());
  --kind.count;
}

void DropOld(EngineState& state, Effects& effects) {
  int left = kDropsPerTickMax;
  if (state.retained.next_drop_us <= state.now_us) {
    state.retained.next_drop_us = INT64_MAX;
    for (RetentionLane& lane : state.retained.lanes) left -= DropOver(state, lane, left, effects);
  }
  for (; state.ended_count > state.limits.retained_max() && left > 0; --left) {
    TaskPast* next = FirstToLeave(state);
    if (!WasTold(state, *next)) break;
    DropTask(state, next->task, effects);
  }
  for (Task* next = LeavesEarly(state); next != nullptr && WasTold(state, next->past());
       next = LeavesEarly(state)) {
    DropTask(state, next, effects);
  }
}

EngineMicros NextDrop(const EngineState& state) {
  if (state.ended_count > state.limits.retained_max()) return state.now_us;
  return state.ended_count == 0 ? INT64_MAX : state.retained.next_drop_us;
}

}  // namespace grove::tasks
