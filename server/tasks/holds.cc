#include "server/tasks/holds.h"

#include <memory>
#include <utility>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/after.h"
#include "server/tasks/commit.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/refusal.h"
#include "server/tasks/sequences.h"
#include "server/tasks/task_memory.h"
#include "server/tasks/webhook.h"

namespace grove::tasks {
namespace {

bool HasTime(const Task& task) {
  return task.heap_position != Task::kNoDeadline;
}

// A time that bounds its suspension is not waited for.
bool AwaitedTasks(const Task& task) {
  return IsSuspended(task) && !task.relations->suspended_for.empty();
}

// No longer held: into its queue, unless its time is still to come.
void Release(EngineState& state, TaskId id, Effects& effects) {
  Task* task = state.FindTask(id);
  if (task == nullptr || task->state != v1::TASK_STATE_SCHEDULED) return;
  if (IsHeld(*task) || (HasTime(*task) && !AwaitedTasks(*task))) return;
  if (task->past().attempts_started == 0) task->ready_us = state.now_us;
  const bool has_news = WriteWebhookBody(state, task);
  Enqueue(state, task, /*to_front=*/false);
  if (has_news) Commit(state, task, effects);
}

void Fail(EngineState& state, TaskId id, Effects& effects) {
  Task* task = state.FindTask(id);
  if (task == nullptr || task->state != v1::TASK_STATE_SCHEDULED || !task->relations->is_doomed) {
    return;
  }
  End(state, task, v1::TASK_STATE_FAILED,
      MakeError(absl::StatusCode::kFailedPrecondition, "AFTER_FAILED", DoomText(state, *task)));
  Commit(state, task, effects);
}

}  // namespace

bool IsHeld(const Task& task) {
  return task.relations != nullptr && (task.relations->waiting > 0 || task.relations->is_doomed ||
                                       task.relations->is_unresolved || !HasTurn(task));
}

bool IsSuspended(const Task& task) {
  return task.state == v1::TASK_STATE_SCHEDULED && !task.past().attempts.empty() &&
         task.past().attempts.back().state == v1::Attempt::STATE_SUSPENDED;
}

void Await(EngineState& state, Task* task, EngineMicros at_us) {
  if (at_us > state.now_us) return Schedule(state, task, at_us);
  if (!IsHeld(*task)) return Enqueue(state, task, /*to_front=*/false);
  SetState(state, task, v1::TASK_STATE_SCHEDULED);
  task->schedule_us = 0;
}

void EndDelay(EngineState& state, Task* task) {
  if (IsSuspended(*task)) StopAwaiting(state, task);
  if (!IsHeld(*task)) return Enqueue(state, task, /*to_front=*/false);
  state.deadlines.Remove(task);
  task->schedule_us = 0;
}

bool CanEndDelay(const Task& task) {
  return HasTime(task) || IsSuspended(task) || !IsHeld(task);
}

void Doom(EngineState& state, Task* task, TaskId by) {
  if (std::exchange(task->relations->is_doomed, true)) return;
  task->relations->doomed_by = by;
  state.doomed.push_back(task->id);
}

absl::Status CheckSuspension(const EngineState& state, size_t tenant,
                             const internal::v1::Suspension& asked) {
  if (asked.tasks_size() > kAfterMax) {
    return Refusal(absl::StatusCode::kInvalidArgument, "TOO_MANY_AFTER",
                   StrCat("an attempt has suspended itself for ", asked.tasks_size(),
                          " tasks; at most ", kAfterMax, " are allowed"));
  }
  return CheckAwaited(state, tenant, "suspended for", asked.tasks());
}

void Suspend(EngineState& state, Task* task, TaskNames names, EngineMicros at_us) {
  if (task->relations == nullptr) task->relations = std::make_unique<TaskRelations>();
  const bool had_names = !names.empty();
  task->relations->suspended_for = std::move(names);
  task->relations->first_waiting = 0;
  AwaitSuspendedFor(state, task);
  // All of them have ended: it goes on at once.
  Await(state, task, had_names && task->relations->waiting == 0 ? 0 : at_us);
}

void DropHolds(EngineState& state, Task* task) {
  if (task->relations == nullptr) return;
  StopAwaiting(state, task);
  task->relations->is_doomed = false;
  task->relations->is_unresolved = false;
  task->relations->suspended_for.Clear();
}

void GoOn(EngineState& state, Task* task) {
  if (task->relations == nullptr || task->relations->suspended_for.empty()) return;
  task->relations->suspended_for.Clear();
  Charge(state, *task);
}

// What fails may doom others in the same turn; their number is that of the tasks at most.
void SettleHolds(EngineState& state, Effects& effects) {
  while (!state.doomed.empty()) {
    for (const TaskId& id : std::exchange(state.doomed, {})) Fail(state, id, effects);
  }
  for (const TaskId& id : std::exchange(state.to_release, {})) Release(state, id, effects);
}

bool HasHoldsToSettle(const EngineState& state) {
  return !state.doomed.empty() || !state.to_release.empty();
}

void HoldRecovered(EngineState& state, Task* task) {
  if (task->relations == nullptr) return;
  const bool awaits = ComesAfter(*task) || !task->relations->suspended_for.empty();
  task->relations->is_unresolved = awaits;
  state.recovered_holds.push_back(task->id);
}

void EndHoldsRecovery(EngineState& state) {
  state.recovers = false;
  for (const TaskId& id : std::exchange(state.recovered_holds, {})) {
    Task* task = state.FindTask(id);
    if (std::exchange(task->relations->is_unresolved, false)) {
      BeginAfter(state, task);
      AwaitSuspendedFor(state, task);
    }
    Sequence* sequence = task->relations->sequence;
    if (sequence != nullptr && sequence->turn == nullptr) PassTurn(state, *sequence);
    if (!IsHeld(*task)) state.to_release.push_back(id);
  }
}

}  // namespace grove::tasks
