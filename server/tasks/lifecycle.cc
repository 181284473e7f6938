// The order of steps within a transition is not free:
//
// * A worker's report releases the attempt's room before it becomes the task's state. Room is the
//   LiveAttempt's and is over with it, whatever follows for the task; and WakePool() must run
//   before a retried or interrupted task joins its backlog, so that the queues that have waited
//   longer stand before it in the round.
// * CloseAttempt() comes before SetState(): it writes to the record of the attempt, and a task that
//   is RUNNING is the only one that has a current attempt.
// * Commit() comes last (commit.cc says why).
// * A durable task is QUEUED before its insert is on disk, so that its depth counts and Cancel()
//   finds it, but it stands in no backlog (Place::kNone) until MarkStored().
#include "server/tasks/lifecycle.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/commit.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

// Kept of what a function says: a task keeps the errors of many attempts.
constexpr size_t kErrorMessageBytesMax = 4096;

using Outcome = internal::v1::AttemptEnded;
using Stand = QueueState::Stand;

void PushReady(EngineState& state, size_t queue) {
  const size_t tenant = state.directory->queues()[queue].tenant;
  std::deque<size_t>& ready = state.tenants[tenant].ready;
  if (ready.empty()) state.tenants_in_turn.push_back(tenant);
  ready.push_back(queue);
  state.queues[queue].stand = Stand::kReady;
}

// A queue that waits for the workers of its first task's function has another first task, whose
// workers may have room.
void LookAgain(EngineState& state, size_t queue) {
  if (state.queues[queue].stand != Stand::kBlockedOnWorkers) return;
  std::vector<size_t>& blocked = state.blocked_on_workers;
  blocked.erase(std::find(blocked.begin(), blocked.end(), queue));
  PushReady(state, queue);
}

void JoinBacklog(EngineState& state, Task* task, bool to_front) {
  QueueState& queue = state.queues[task->queue];
  task->place = Task::Place::kBacklog;
  to_front ? queue.backlog.PushFront(task) : queue.backlog.Push(task);
  WakeQueue(state, task->queue);
  if (queue.backlog.Front() == task) LookAgain(state, task->queue);
}

void LeaveBacklog(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  const bool was_first = queue.backlog.Front() == task;
  queue.backlog.Remove(task);
  if (was_first) LookAgain(state, task->queue);
}

void LeaveQueued(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  --queue.queued;
  queue.by_age.Remove(task);
  if (task->place == Task::Place::kBacklog) LeaveBacklog(state, task);
  if (task->place == Task::Place::kStranded) state.functions[task->function].stranded.Remove(task);
  task->place = Task::Place::kNone;
}

void LeaveState(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  state.deadlines.Remove(task);
  --state.CountsOf(*task)[task->state];
  if (task->state == v1::TASK_STATE_SCHEDULED) --queue.scheduled;
  if (task->state == v1::TASK_STATE_QUEUED) LeaveQueued(state, task);
  if (task->state == v1::TASK_STATE_RUNNING) --queue.running;
}

void EnterState(EngineState& state, Task* task) {
  QueueState& queue = state.queues[task->queue];
  ++state.CountsOf(*task)[task->state];
  if (task->state == v1::TASK_STATE_SCHEDULED) ++queue.scheduled;
  if (task->state == v1::TASK_STATE_RUNNING) ++queue.running;
  if (task->state != v1::TASK_STATE_QUEUED) return;
  ++queue.queued;
  task->queued_us = state.now_us;
  queue.by_age.PushBack(task);
}

void CloseAttempt(EngineState& state, Task* task, v1::Attempt::State to, Outcome::Outcome outcome,
                  const google::rpc::Status* error) {
  task->attempt = 0;
  task->progress = 0;
  task->progress_message.clear();
  AttemptRecord& record = task->attempts.back();
  record.state = to;
  record.fiber = 0;
  if (record.end_us == 0) record.end_us = state.wall_us();
  state.tallies.push_back({.kind = Tally::Kind::kAttemptEnded,
                           .queue = task->queue,
                           .function = task->function,
                           .what = outcome,
                           .us = std::max<int64_t>(0, record.end_us - record.start_us)});
  if (error != nullptr) record.error = std::make_unique<google::rpc::Status>(*error);
}

// Whether the same input would fail again: function.h's promise.
bool IsFinal(const EngineState& state, const Task& task, int code) {
  if (code == static_cast<int>(absl::StatusCode::kInvalidArgument)) return true;
  if (code == static_cast<int>(absl::StatusCode::kPermissionDenied)) return true;
  const auto& own = state.functions[task.function].description.not_retried();
  return std::find(own.begin(), own.end(), code) != own.end();
}

// After a failure or a time-out: another try, or the end.
void RetryOrEnd(EngineState& state, Task* task, v1::TaskState end_state,
                std::unique_ptr<google::rpc::Status> error) {
  ++task->failures;
  if (task->failures >= task->spec.retry.max_attempts || IsFinal(state, *task, error->code())) {
    return End(state, task, end_state, std::move(error));
  }
  Schedule(state, task, state.now_us + task->spec.retry.BackoffUs(task->failures));
}

int64_t TimeoutOf(const EngineState& state, const Task& task) {
  if (task.spec.timeout_us > 0) return task.spec.timeout_us;
  const int64_t own_ms = state.functions[task.function].description.default_timeout_ms();
  const int64_t max_ms = kTimeoutMaxUs / kUsPerMs;
  return std::min(own_ms > 0 ? own_ms : state.limits.default_timeout_ms(), max_ms) * kUsPerMs;
}

void FillStart(const EngineState& state, const Task& task, const LiveAttempt& attempt,
               const std::string& input, internal::v1::StartAttempt* start) {
  const tenancy::Directory::Queue& queue = state.directory->queues()[task.queue];
  start->set_attempt(attempt.id);
  start->set_task(state.NameOf(task));
  start->set_tenant(state.directory->tenants()[queue.tenant].name);
  start->set_function(task.spec.function);
  start->set_input(input);
  start->set_content_type(task.spec.content_type);
  start->set_number(task.attempts.back().number);
  start->set_timeout_ms((attempt.timeout_us + kUsPerMs - 1) / kUsPerMs);
  for (const auto& [key, value] : task.spec.labels) (*start->mutable_labels())[key] = value;
}

void SendStart(const EngineState& state, const Task& task, const LiveAttempt& attempt,
               const std::string& input, Effects& effects) {
  FillStart(state, task, attempt, input, effects.FrameTo(attempt.worker, input.size()).add_start());
}

std::unique_ptr<google::rpc::Status> ErrorOf(Outcome& ended, absl::StatusCode code,
                                             std::string_view reason, std::string otherwise) {
  if (!ended.has_error()) return MakeError(code, reason, std::move(otherwise));
  auto error = std::make_unique<google::rpc::Status>(std::move(*ended.mutable_error()));
  error->set_message(Cut(error->message(), kErrorMessageBytesMax));
  return error;
}

}  // namespace

void SetState(EngineState& state, Task* task, v1::TaskState to) {
  const v1::TaskState from = task->state;
  GROVE_CHECK(kMayFollow[from][to],
              StrCat(v1::TaskState_Name(from), " -> ", v1::TaskState_Name(to)));
  if (from != v1::TASK_STATE_UNSPECIFIED) LeaveState(state, task);
  task->state = to;
  EnterState(state, task);
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

Task* AddTask(EngineState& state, std::unique_ptr<Task> owned) {
  Task* task = owned.get();
  const size_t tenant = state.directory->queues()[task->queue].tenant;
  state.by_id.emplace_hint(state.by_id.end(), task->id, task);
  task->input_bytes = static_cast<int64_t>(task->spec.input.size());
  if (!task->spec.request_id.empty()) {
    state.tenants[tenant].request_ids[task->spec.request_id] = task->id;
    task->fingerprint = FingerprintOf(task->spec);
  }
  Charge(state, *task);
  state.tasks.emplace(task->id, std::move(owned));
  return task;
}

void DropTask(EngineState& state, Task* task, Effects& effects) {
  const size_t tenant = state.directory->queues()[task->queue].tenant;
  --state.CountsOf(*task)[task->state];
  Unsettle(state, task);
  state.task_bytes -= task->charged_bytes;
  if (!task->spec.request_id.empty())
    state.tenants[tenant].request_ids.erase(task->spec.request_id);
  if (task->spec.durable) {
    StoreWrite& write = effects.writes.emplace_back();
    write.kind = StoreWrite::Kind::kDelete;
    write.ticket = ++state.last_ticket;
    write.task.id = task->id;
    state.unconfirmed.push_back({write.ticket, UnconfirmedWrite::Then::kNothing, task->id});
  }
  state.by_id.erase(task->id);
  state.tasks.erase(task->id);
}

void Schedule(EngineState& state, Task* task, EngineMicros at_us) {
  SetState(state, task, v1::TASK_STATE_SCHEDULED);
  task->schedule_us = at_us;
  if (task->attempts_started == 0) task->ready_us = at_us;
  state.deadlines.Set(task, at_us);
}

void Enqueue(EngineState& state, Task* task, bool to_front) {
  SetState(state, task, v1::TASK_STATE_QUEUED);
  // Invariant 8: not before it is on disk; otherwise it could run and be forgotten.
  if (task->spec.durable && !task->stored) return;
  JoinBacklog(state, task, to_front);
}

void MarkStored(EngineState& state, Task* task) {
  task->stored = true;
  // If it starts in this turn, its input is still at hand.
  if (task->input_bytes > kInlinePayloadBytesMax) {
    state.payloads_to_drop.push_back({task->id, state.turn});
  }
  if (task->state != v1::TASK_STATE_QUEUED) return;
  JoinBacklog(state, task, /*to_front=*/false);
}

void StartOn(EngineState& state, Task* task, int32_t worker, Effects& effects) {
  const WorkerView& on = state.workers[worker];
  SetState(state, task, v1::TASK_STATE_RUNNING);
  if (task->attempts.size() >= kAttemptsKeptMax) task->attempts.erase(task->attempts.begin());
  AttemptRecord& record = task->attempts.emplace_back();
  record.number = ++task->attempts_started;
  record.worker = worker;
  record.worker_pid = on.pid;
  record.start_us = state.wall_us();
  const int64_t timeout_us = TimeoutOf(state, *task);
  LiveAttempt* attempt =
      HoldRoom(state, task, state.next_attempt++, worker, on.incarnation, timeout_us);
  state.deadlines.Set(task, state.now_us + timeout_us + kTimeoutGraceUs);
  if (record.number == 1) {
    effects.first_starts.push_back({task->id, task->function, task->ready_us, state.now_us});
  }
  if (task->has_input()) {
    SendStart(state, *task, *attempt, task->spec.input, effects);
  } else {
    attempt->loading = true;
    effects.loads.push_back(task->id);
  }
  Commit(state, task, effects);
}

void End(EngineState& state, Task* task, v1::TaskState end_state,
         std::unique_ptr<google::rpc::Status> error) {
  SetState(state, task, end_state);
  task->end_us = state.now_us;
  task->end_time_us = state.wall_us();
  task->error = std::move(error);
}

void CancelTask(EngineState& state, Task* task, std::string_view reason, Effects& effects) {
  std::string message = reason.empty() ? "cancelled" : StrCat("cancelled: ", reason);
  auto error = MakeError(absl::StatusCode::kCancelled, "TASK_CANCELLED", std::move(message));
  if (task->state == v1::TASK_STATE_RUNNING) {
    Abandon(state, state.attempts.at(task->attempt).get(), error->message(), effects);
    CloseAttempt(state, task, v1::Attempt::STATE_CANCELLED, Outcome::OUTCOME_CANCELLED,
                 error.get());
  }
  End(state, task, v1::TASK_STATE_CANCELLED, std::move(error));
  Commit(state, task, effects);
}

void Strand(EngineState& state, Task* task) {
  state.queues[task->queue].backlog.Remove(task);
  state.functions[task->function].stranded.PushBack(task);
  task->place = Task::Place::kStranded;
}

// From the last to the first, each to the front: their order stays.
void Unstrand(EngineState& state, size_t function) {
  auto& stranded = state.functions[function].stranded;
  while (Task* task = stranded.back()) {
    stranded.Remove(task);
    JoinBacklog(state, task, /*to_front=*/true);
  }
}

LiveAttempt* HoldRoom(EngineState& state, Task* task, uint64_t id, int32_t worker,
                      uint64_t incarnation, int64_t timeout_us) {
  auto owned = std::make_unique<LiveAttempt>();
  LiveAttempt* attempt = owned.get();
  attempt->id = id;
  attempt->task = task;
  attempt->worker = worker;
  attempt->incarnation = incarnation;
  attempt->queue = task->queue;
  attempt->function = task->function;
  attempt->timeout_us = timeout_us;
  task->attempt = id;
  ++state.pools[state.directory->queues()[task->queue].pool].running;
  ++state.workers[worker].running;
  attempt->unstarted_bytes = task->input_bytes;
  state.workers[worker].unstarted_bytes += task->input_bytes;
  state.workers[worker].attempts.PushBack(attempt);
  state.attempts.emplace(id, std::move(owned));
  return attempt;
}

void ReleaseRoom(EngineState& state, LiveAttempt* attempt) {
  const size_t pool = state.directory->queues()[attempt->queue].pool;
  WorkerView& worker = state.workers[attempt->worker];
  MarkBegun(state, attempt);
  worker.attempts.Remove(attempt);
  --worker.running;
  if (attempt->holds_pool) --state.pools[pool].running;
  WakePool(state, pool);
  state.attempts.erase(attempt->id);
}

void ReleasePool(EngineState& state, LiveAttempt* attempt) {
  if (!std::exchange(attempt->holds_pool, false)) return;
  const size_t pool = state.directory->queues()[attempt->queue].pool;
  --state.pools[pool].running;
  WakePool(state, pool);
}

void MarkBegun(EngineState& state, LiveAttempt* attempt) {
  WorkerView& worker = state.workers[attempt->worker];
  const bool was_clogged = worker.unstarted_bytes > kUnstartedBytesMax;
  worker.unstarted_bytes -= std::exchange(attempt->unstarted_bytes, 0);
  if (was_clogged && worker.unstarted_bytes <= kUnstartedBytesMax) WakeBlockedOnWorkers(state);
}

void Abandon(EngineState& state, LiveAttempt* attempt, std::string_view reason, Effects& effects) {
  if (attempt->loading) return ReleaseRoom(state, attempt);  // The worker has not heard of it.
  attempt->task = nullptr;
  const WorkerView& worker = state.workers[attempt->worker];
  if (worker.stuck) ReleasePool(state, attempt);
  if (!worker.linked) return;
  auto* cancel = effects.FrameTo(attempt->worker).add_cancel();
  cancel->set_attempt(attempt->id);
  cancel->set_reason(std::string(reason));
}

void TakeInput(EngineState& state, Task* task, const std::string& input, Effects& effects) {
  LiveAttempt& attempt = *state.attempts.at(task->attempt);
  attempt.loading = false;
  SendStart(state, *task, attempt, input, effects);
}

void LoseInput(EngineState& state, Task* task, const absl::Status& why, Effects& effects) {
  ReleaseRoom(state, state.attempts.at(task->attempt).get());
  auto error = MakeError(why.code(), "INPUT_NOT_READ",
                         StrCat("the store does not give its input: ", why.message()));
  CloseAttempt(state, task, v1::Attempt::STATE_INTERRUPTED, Outcome::OUTCOME_INTERRUPTED,
               error.get());
  if (absl::IsDataLoss(why)) {
    End(state, task, v1::TASK_STATE_FAILED, std::move(error));
  } else {
    Schedule(state, task, state.now_us + kLoadRetryUs);
  }
  Commit(state, task, effects);
}

void TakeBack(EngineState& state, LiveAttempt* attempt, std::string_view reason, Effects& effects) {
  Task* task = attempt->task;
  Abandon(state, attempt, reason, effects);
  auto error = MakeError(absl::StatusCode::kAborted, "ATTEMPT_INTERRUPTED", std::string(reason));
  CloseAttempt(state, task, v1::Attempt::STATE_INTERRUPTED, Outcome::OUTCOME_INTERRUPTED,
               error.get());
  Enqueue(state, task, /*to_front=*/true);
  Commit(state, task, effects);
}

void FinishAttempt(EngineState& state, Task* task, Outcome ended, int32_t worker,
                   Effects& effects) {
  AttemptRecord& record = task->attempts.back();
  if (ended.start_time_us() > 0) record.start_us = ended.start_time_us();
  if (ended.end_time_us() > 0) record.end_us = std::max(ended.end_time_us(), record.start_us);
  switch (ended.outcome()) {
    case Outcome::OUTCOME_SUCCEEDED:
      CloseAttempt(state, task, v1::Attempt::STATE_SUCCEEDED, ended.outcome(), nullptr);
      task->output = std::move(*ended.mutable_output());
      task->output_bytes = static_cast<int64_t>(task->output.size());
      task->output_content_type = std::move(*ended.mutable_output_content_type());
      End(state, task, v1::TASK_STATE_SUCCEEDED, nullptr);
      break;
    case Outcome::OUTCOME_CANCELLED: {
      auto error = ErrorOf(ended, absl::StatusCode::kCancelled, "ATTEMPT_CANCELLED",
                           "cancelled on the worker");
      CloseAttempt(state, task, v1::Attempt::STATE_CANCELLED, ended.outcome(), error.get());
      End(state, task, v1::TASK_STATE_CANCELLED, std::move(error));
      break;
    }
    case Outcome::OUTCOME_TIMED_OUT: {
      auto error = ErrorOf(ended, absl::StatusCode::kDeadlineExceeded, "ATTEMPT_TIMED_OUT",
                           "the time-out is over");
      CloseAttempt(state, task, v1::Attempt::STATE_TIMED_OUT, ended.outcome(), error.get());
      RetryOrEnd(state, task, v1::TASK_STATE_TIMED_OUT, std::move(error));
      break;
    }
    case Outcome::OUTCOME_INTERRUPTED: {
      auto error = ErrorOf(ended, absl::StatusCode::kAborted, "ATTEMPT_INTERRUPTED",
                           "the worker gave it back unfinished");
      CloseAttempt(state, task, v1::Attempt::STATE_INTERRUPTED, ended.outcome(), error.get());
      Enqueue(state, task, /*to_front=*/true);
      break;
    }
    default: {
      auto error = ErrorOf(ended, absl::StatusCode::kUnknown, "ATTEMPT_FAILED",
                           "the function failed without saying why");
      CloseAttempt(state, task, v1::Attempt::STATE_FAILED, Outcome::OUTCOME_FAILED, error.get());
      RetryOrEnd(state, task, v1::TASK_STATE_FAILED, std::move(error));
    }
  }
  Commit(state, task, effects, ended.attempt(), worker);
}

void TimeOut(EngineState& state, Task* task, Effects& effects) {
  LiveAttempt* attempt = state.attempts.at(task->attempt).get();
  // The time-out counts from the start: who has not started may still do so elsewhere.
  if (!attempt->started) {
    return TakeBack(state, attempt,
                    StrCat("workers/", attempt->worker, " has not started it in time"), effects);
  }
  auto error = MakeError(
      absl::StatusCode::kDeadlineExceeded, "ATTEMPT_TIMED_OUT",
      StrCat("the time-out of ", attempt->timeout_us / kUsPerMs, " ms is over and workers/",
             attempt->worker, " has not stopped the attempt"));
  Abandon(state, attempt, error->message(), effects);
  CloseAttempt(state, task, v1::Attempt::STATE_TIMED_OUT, Outcome::OUTCOME_TIMED_OUT, error.get());
  RetryOrEnd(state, task, v1::TASK_STATE_TIMED_OUT, std::move(error));
  Commit(state, task, effects);
}

void Interrupt(EngineState& state, LiveAttempt* attempt, Interruption why, std::string_view reason,
               Effects& effects) {
  Task* task = attempt->task;
  ReleaseRoom(state, attempt);
  if (task == nullptr) return;
  auto error = MakeError(absl::StatusCode::kAborted, "ATTEMPT_INTERRUPTED", std::string(reason));
  CloseAttempt(state, task, v1::Attempt::STATE_INTERRUPTED, Outcome::OUTCOME_INTERRUPTED,
               error.get());
  if (why == Interruption::kWorkerDied) ++task->interruptions;
  if (why == Interruption::kWorkerDied && task->interruptions >= state.limits.interruptions_max()) {
    End(state, task, v1::TASK_STATE_FAILED,
        MakeError(absl::StatusCode::kAborted, "WORKER_DIED_TOO_OFTEN",
                  StrCat("its worker died ", task->interruptions,
                         " times while it ran (tasks.interruptions_max); last: ", reason)));
  } else {
    Enqueue(state, task, /*to_front=*/true);
  }
  Commit(state, task, effects);
}

void WakeQueue(EngineState& state, size_t index) {
  QueueState& queue = state.queues[index];
  if (queue.stand != Stand::kIdle || queue.backlog.empty()) return;
  if (!state.directory->queues()[index].paused) PushReady(state, index);
}

void WakePool(EngineState& state, size_t index) {
  PoolState& pool = state.pools[index];
  if (pool.running < pool.size && !pool.blocked.empty()) {
    for (size_t queue : pool.blocked) PushReady(state, queue);
    pool.blocked.clear();
  }
  WakeBlockedOnWorkers(state);
}

void WakeBlockedOnWorkers(EngineState& state) {
  for (size_t queue : state.blocked_on_workers) PushReady(state, queue);
  state.blocked_on_workers.clear();
}

}  // namespace grove::tasks
