// What a task waits for is looked up when it is spawned, when control has recovered, and when
// somebody tries it again after it failed for that. So nothing of it is stored but the names: a
// task that is gone by then has ended, and one that has failed says so itself. Of one that was
// volatile and went with its control nobody knows how it ended: it has not succeeded.
#include "server/tasks/after.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/evicted_tasks.h"
#include "server/tasks/holds.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

size_t TenantOf(const EngineState& state, const Task& task) {
  return state.directory->queues()[task.queue].tenant;
}

// nullopt: there is none of that name.
std::optional<Standing> FindNamed(const EngineState& state, size_t tenant, const TaskNames& names,
                                  size_t i) {
  std::optional<Standing> task = StandingOf(state, names.id(i));
  if (!task || state.directory->queues()[task->queue].tenant != tenant) return std::nullopt;
  return state.NameOf(task->queue, names.id(i)) == names.NameOf(i) ? task : std::nullopt;
}

bool HasFailed(const Standing& task) {
  return task.settled && task.state != v1::TASK_STATE_SUCCEEDED;
}

void AwaitAll(EngineState& state, Task* task, const TaskNames& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    const auto other = FindNamed(state, TenantOf(state, *task), names, i);
    if (!other || other->settled || names.id(i) == task->id) continue;
    task->relations->waiting += state.awaited.emplace(names.id(i), task->id).second;
  }
}

void Forget(EngineState& state, const Task& task, const TaskNames& names) {
  for (size_t i = 0; i < names.size(); ++i) state.awaited.erase({names.id(i), task.id});
}

}  // namespace

absl::Status CheckAwaited(const EngineState& state, size_t tenant, std::string_view field,
                          const google::protobuf::RepeatedPtrField<std::string>& names) {
  for (const std::string& name : names) {
    TaskNames named;
    named.Add(name);
    if (!named.empty() && FindNamed(state, tenant, named, 0)) continue;
    return Refusal(absl::StatusCode::kNotFound, "AFTER_NOT_FOUND",
                   StrCat(field, ": no task \"", Cut(absl::CHexEscape(Abseil(name))),
                          "\": it never existed, or its retention is over"),
                   {{"task", Cut(name)}});
  }
  return absl::OkStatus();
}

bool ComesAfter(const Task& task) {
  return task.spec.extras().relations != nullptr && !task.spec.extras().relations->after.empty() &&
         task.past().attempts_started == 0;
}

void BeginAfter(EngineState& state, Task* task) {
  if (!ComesAfter(*task)) return;
  if (const std::optional<TaskId> by = DoomedBy(state, *task)) return Doom(state, task, *by);
  TaskNames& after = task->spec.extras().relations->after;
  AwaitAll(state, task, after);
  for (size_t i = 0; i < after.size() && task->spec.durable && !task->stored; ++i) {
    const Task* other = state.FindTask(after.id(i));
    if (other != nullptr && !other->settled && !other->spec.durable) after.MarkVolatile(i);
  }
}

void AwaitSuspendedFor(EngineState& state, Task* task) {
  AwaitAll(state, task, task->relations->suspended_for);
}

void StopAwaiting(EngineState& state, Task* task) {
  if (task->relations == nullptr || task->relations->waiting == 0) return;
  if (task->spec.extras().relations != nullptr)
    Forget(state, *task, task->spec.extras().relations->after);
  Forget(state, *task, task->relations->suspended_for);
  task->relations->waiting = 0;
  task->relations->first_waiting = 0;
}

void TellAwaiting(EngineState& state, const Task& task) {
  auto next = state.awaited.lower_bound({task.id, TaskId()});
  while (next != state.awaited.end() && next->first == task.id) {
    Task* waiting = state.FindTask(next->second);
    state.awaited.erase(next);
    --waiting->relations->waiting;
    const bool is_doomed = task.state != v1::TASK_STATE_SUCCEEDED && ComesAfter(*waiting) &&
                           waiting->spec.extras().relations->needs_success;
    if (is_doomed) {
      Doom(state, waiting, task.id);
    } else if (!IsHeld(*waiting)) {
      state.to_release.push_back(waiting->id);
    }
    next = state.awaited.lower_bound({task.id, TaskId()});
  }
}

std::optional<TaskId> DoomedBy(const EngineState& state, const Task& task) {
  if (!ComesAfter(task) || !task.spec.extras().relations->needs_success) return std::nullopt;
  const TaskNames& after = task.spec.extras().relations->after;
  for (size_t i = 0; i < after.size(); ++i) {
    const auto other = FindNamed(state, TenantOf(state, task), after, i);
    if (other ? HasFailed(*other) : after.is_volatile(i)) return after.id(i);
  }
  return std::nullopt;
}

std::string DoomText(const EngineState& state, const Task& task) {
  const TaskNames& after = task.spec.extras().relations->after;
  size_t i = 0;
  while (i + 1 < after.size() && after.id(i) != task.relations->doomed_by) ++i;
  const auto other = StandingOf(state, after.id(i));
  if (!other) {
    return StrCat("it comes after ", after.NameOf(i),
                  ", which is gone, and of which nobody knows whether it has succeeded");
  }
  return StrCat("it comes after ", after.NameOf(i), ", which has not succeeded: it is ",
                std::string_view(v1::TaskState_Name(other->state)).substr(11));
}

size_t FirstAwaited(const EngineState& state, const Task& task, const TaskNames& names) {
  size_t& first = task.relations->first_waiting;
  while (first + 1 < names.size() && !state.awaited.contains({names.id(first), task.id})) ++first;
  return first;
}

}  // namespace grove::tasks
