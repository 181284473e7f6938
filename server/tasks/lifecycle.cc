// The order of steps within a transition is not free: attempt_moves.cc has most of it. Here:
//
// * A durable task is QUEUED before its insert is on disk, so that its depth counts and Cancel()
//   finds it, but it stands in no backlog (Place::kNone) until MarkStored().
#include "server/tasks/lifecycle.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/after.h"
#include "server/tasks/commit.h"
#include "server/tasks/explain.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/holds.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/payload_links.h"
#include "server/tasks/places.h"
#include "server/tasks/refusal.h"
#include "server/tasks/sequences.h"
#include "server/tasks/slot_bounds.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

// A paused task grows no older: it does not wait for a turn.
void BeginWait(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  task->queued_us = state.now_us;
  if (task->is_paused()) {
    ++queue.queued_paused;
  } else {
    queue.by_age.PushBack(task);
  }
}

void EndWait(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  if (task->is_paused()) {
    --queue.queued_paused;
  } else {
    queue.by_age.Remove(task);
  }
  LeavePlace(state, task);
}

bool Waits(const Task& task) {
  return task.state == v1::TASK_STATE_SCHEDULED || task.state == v1::TASK_STATE_QUEUED;
}

void LeaveState(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  state.deadlines.Remove(task);
  --state.CountsOf(*task)[task->state];
  if (Waits(*task)) CountWaiting(state, *task, -1);
  if (task->state == v1::TASK_STATE_SCHEDULED) --queue.scheduled;
  if (task->state == v1::TASK_STATE_QUEUED) {
    --queue.queued;
    EndWait(state, task);
  }
  if (task->state == v1::TASK_STATE_RUNNING) --queue.running;
}

void EnterState(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  ++state.CountsOf(*task)[task->state];
  if (Waits(*task)) CountWaiting(state, *task, 1);
  if (task->state == v1::TASK_STATE_SCHEDULED) ++queue.scheduled;
  if (task->state == v1::TASK_STATE_RUNNING) ++queue.running;
  if (task->state != v1::TASK_STATE_QUEUED) return;
  ++queue.queued;
  BeginWait(state, task);
}

// Its limit key counts it until it has ended.
void KeepLimitKey(EngineState& state, Task* task) {
  if (task->spec.extras().limit_key == nullptr || (task->key == nullptr) == task->ended()) return;
  if (task->ended()) return LeaveKey(state, std::exchange(task->key, nullptr));
  const size_t tenant = state.directory->queues()[task->queue].tenant;
  task->key = UseKey(state, tenant, *task->spec.extras().limit_key);
}

void KeepUniqueKey(EngineState& state, const Task& task) {
  if (task.spec.extras().unique == nullptr) return;
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  task.ended() ? state.unique_keys.Give(tenant, task) : state.unique_keys.Take(tenant, task);
}

}  // namespace

void SetState(EngineState& state, Task* task, v1::TaskState to) {
  const v1::TaskState from = task->state;
  GROVE_CHECK(kMayFollow[from][to],
              StrCat(v1::TaskState_Name(from), " -> ", v1::TaskState_Name(to)));
  if (from != v1::TASK_STATE_UNSPECIFIED) LeaveState(state, task);
  task->state = to;
  KeepLimitKey(state, task);
  EnterState(state, task);
  KeepUniqueKey(state, *task);
  // Ends are told by Settle(), and what is durable not before it is on disk.
  if (!task->ended() && (task->stored || !task->spec.durable)) state.NoteChange(*task);
  // An end that the store held was counted by the control that saw it.
  if (task->ended() && from != v1::TASK_STATE_UNSPECIFIED) {
    state.tallies.push_back({.kind = Tally::Kind::kEnded,
                             .queue = task->queue,
                             .function = task->function,
                             .what = to,
                             .us = std::max<int64_t>(0, state.wall_us() - task->create_time_us)});
  }
}

std::unique_ptr<google::rpc::Status> MakeError(absl::StatusCode code, std::string_view reason,
                                               std::string message) {
  auto error = std::make_unique<google::rpc::Status>();
  error->set_code(static_cast<int>(code));
  error->set_message(std::move(message));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kRefusalDomain));
  error->add_details()->PackFrom(info);
  return error;
}

void ShareRetryRules(EngineState& state, Task& task) {
  std::shared_ptr<const RetryRules>& own = task.spec.shared_retry;
  if (own == nullptr) return;
  std::shared_ptr<const RetryRules>& usual = state.functions[task.function].usual_retry;
  if (usual != nullptr && *usual == *own) {
    own = usual;
  } else {
    usual = own;
  }
}

Task* AddTask(EngineState& state, std::unique_ptr<Task> owned) {
  Task* task = owned.get();
  TenantState& tenant = state.TenantOf(*task);
  tenant.tasks.emplace_hint(tenant.tasks.end(), task->id, task);
  const SpecExtras& extras = task->spec.extras();
  if (!extras.request_id.empty()) tenant.InUse().request_ids.Insert(task);
  if (extras.relations != nullptr && task->relations == nullptr) {
    task->relations = std::make_unique<TaskRelations>();
  }
  if (!task->ended() || Halts(*task)) JoinSequence(state, task);
  HoldPayloads(state, *task);
  Charge(state, *task);
  state.tasks.Insert(std::move(owned));
  return task;
}

void DropTask(EngineState& state, Task* task, Effects& effects) {
  TenantState& tenant = state.TenantOf(*task);
  --state.CountsOf(*task)[task->state];
  Unsettle(state, task);
  state.task_bytes -= task->charged_bytes;
  if (!task->spec.extras().request_id.empty()) tenant.InUse().request_ids.Erase(task);
  if (task->spec.durable) WriteDelete(state, task->id, effects);
  ReleasePayloads(state, *task);
  LeaveSequence(state, task);
  tenant.tasks.erase(task->id);
  tenant.ForgetIfUnused(state.now_us);
  state.tasks.Erase(task);
}

void Schedule(EngineState& state, Task* task, EngineMicros at_us) {
  SetState(state, task, v1::TASK_STATE_SCHEDULED);
  task->schedule_us = at_us;
  if (task->past().attempts_started == 0) task->ready_us = at_us;
  state.deadlines.Set(task, at_us);
}

void Enqueue(EngineState& state, Task* task, bool to_front) {
  SetState(state, task, v1::TASK_STATE_QUEUED);
  GoOn(state, task);
  if (task->spec.extras().schedule_to_start_us > 0) {
    state.deadlines.Set(task, state.now_us + task->spec.extras().schedule_to_start_us);
  }
  TakePlace(state, task, to_front);
}

void Expire(EngineState& state, Task* task, Effects& effects) {
  const std::vector<v1::WaitExplanation> waits =
      Explain(state, *task, Audience::kTenant, /*ahead_max=*/0);
  auto error = MakeError(absl::StatusCode::kDeadlineExceeded, "SCHEDULE_TO_START_TIMEOUT",
                         StrCat("no attempt was started within its schedule_to_start_timeout of ",
                                task->spec.extras().schedule_to_start_us / kUsPerMs, " ms",
                                waits.empty() ? "" : StrCat(": ", waits[0].text())));
  End(state, task, v1::TASK_STATE_TIMED_OUT, std::move(error));
  Commit(state, task, effects);
}

void MarkStored(EngineState& state, Task* task) {
  task->stored = true;
  state.NoteChange(*task);
  // If it starts in this turn, its input is still at hand.
  if (task->input_bytes > InlineInputMax(state)) {
    state.payloads_to_drop.push_back({task->id, state.turn});
  }
  if (task->state == v1::TASK_STATE_QUEUED) TakePlace(state, task, /*to_front=*/false);
}

void End(EngineState& state, Task* task, v1::TaskState end_state,
         std::unique_ptr<google::rpc::Status> error) {
  TaskPast& past = task->Past();
  past.unended_state = task->state;
  DropHolds(state, task);
  SetState(state, task, end_state);
  past.end_us = state.now_us;
  past.end_time_us = state.wall_us();
  past.error = std::move(error);
}

void SetPaused(EngineState& state, Task* task, std::unique_ptr<std::string> why) {
  const bool waits = task->state == v1::TASK_STATE_QUEUED;
  const bool moves = waits && task->is_paused() == (why == nullptr);
  if (moves) EndWait(state, task);
  if (task->is_paused() || why != nullptr) task->Past().paused = std::move(why);
  if (!moves) return;
  BeginWait(state, task);
  TakePlace(state, task, /*to_front=*/false);
}

void SetPriority(EngineState& state, Task* task, int32_t priority) {
  const auto order = state.directory->queues()[task->queue].order;
  const bool has_place = task->place != Task::Place::kNone &&
                         task->place != Task::Place::kStranded &&
                         task->place != Task::Place::kPaused;
  const bool moves = has_place && order == config::v1::Queue::ORDER_PRIORITY;
  if (moves) LeavePlace(state, task);
  task->spec.priority = static_cast<int16_t>(priority);
  if (moves) TakePlace(state, task, /*to_front=*/false);
}

void SetLimitKey(EngineState& state, Task* task, const std::string& key) {
  const bool waits = Waits(*task);
  const bool needs_place = LeaveKeyLanes(state, task);
  if (waits) CountWaiting(state, *task, -1);
  if (task->key != nullptr) LeaveKey(state, std::exchange(task->key, nullptr));
  task->spec.Extras().limit_key = key.empty() ? nullptr : std::make_unique<const std::string>(key);
  KeepLimitKey(state, task);
  if (waits) CountWaiting(state, *task, 1);
  if (needs_place) TakePlace(state, task, /*to_front=*/true);
}

void Postpone(EngineState& state, Task* task, EngineMicros at_us) {
  if (at_us <= state.now_us) {
    if (task->state == v1::TASK_STATE_SCHEDULED) EndDelay(state, task);
  } else if (task->state == v1::TASK_STATE_SCHEDULED) {
    task->schedule_us = at_us;
    if (task->past().attempts_started == 0) task->ready_us = at_us;
    state.deadlines.Set(task, at_us);
  } else {
    Schedule(state, task, at_us);
  }
}

void Revive(EngineState& state, Task* task) {
  Unsettle(state, task);
  task->settled = false;
  TaskPast& past = task->Past();
  past.retained_bytes = 0;
  past.failures = 0;
  past.interruptions = 0;
  std::string().swap(past.output);
  past.output_bytes = 0;
  past.output_content_type.clear();
  DropOutputPayload(state, *task);
  past.error.reset();
  past.end_us = 0;
  past.end_time_us = 0;
  task->schedule_us = 0;
  task->ready_us = state.now_us;
  JoinSequence(state, task);
  BeginAfter(state, task);
  Await(state, task, state.now_us);
}

}  // namespace grove::tasks
