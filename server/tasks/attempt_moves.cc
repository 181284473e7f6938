// The order of steps within a transition is not free:
//
// * A worker's report releases the attempt's room before it becomes the task's state. Room is the
//   LiveAttempt's and is over with it, whatever follows for the task; and WakePool() must run
//   before a retried or interrupted task joins its backlog, so that the queues that have waited
//   longer stand before it in the round.
// * CloseAttempt() comes before SetState(): it writes to the record of the attempt, and a task that
//   is RUNNING is the only one that has a current attempt.
// * Commit() comes last (commit.cc says why).
#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/commit.h"
#include "server/tasks/holds.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/payload_links.h"
#include "server/tasks/refusal.h"
#include "server/tasks/sequences.h"
#include "server/tasks/slot_bounds.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

// Kept of what a function says: a task keeps the errors of many attempts.
constexpr size_t kErrorMessageBytesMax = 4096;

using Outcome = internal::v1::AttemptEnded;

// The last eight weigh most.
void LearnRunTime(QueueState& queue, int64_t us) {
  const int64_t mean = queue.mean_run_us;
  queue.mean_run_us = std::max<int64_t>(mean == 0 ? us : mean + (us - mean) / 8, 1);
}

void CloseAttempt(EngineState& state, Task* task, v1::Attempt::State to, Outcome::Outcome outcome,
                  const google::rpc::Status* error) {
  TaskPast& past = task->Past();
  past.attempt = 0;
  past.progress = 0;
  past.progress_message.clear();
  AttemptRecord& record = past.attempts.back();
  record.state = to;
  record.fiber = 0;
  if (record.end_us == 0) record.end_us = state.wall_us();
  const int64_t run_us = std::max<int64_t>(0, record.end_us - record.start_us);
  if (to != v1::Attempt::STATE_INTERRUPTED && to != v1::Attempt::STATE_CANCELLED) {
    LearnRunTime(state.queues[task->queue], run_us);
  }
  state.tallies.push_back({.kind = Tally::Kind::kAttemptEnded,
                           .queue = task->queue,
                           .function = task->function,
                           .what = outcome,
                           .us = run_us});
  if (error != nullptr) record.error = std::make_unique<google::rpc::Status>(*error);
}

void ForgetAbandoned(EngineState& state, const LiveAttempt& attempt) {
  const auto found = state.abandoned.find(attempt.task_id);
  std::erase(found->second, attempt.id);
  if (!found->second.empty()) return;
  state.abandoned.erase(found);
  if (Task* task = state.FindTask(attempt.task_id)) {
    LeaveIfDone(state, task);
    // Nothing keeps it here any more.
    if (task->settled) state.to_evict.push_back({task->id, task->past().settled_turn});
  }
}

// Whether the same input would fail again: function.h's promise.
bool IsFinal(const EngineState& state, const Task& task, int code) {
  if (code == static_cast<int>(absl::StatusCode::kInvalidArgument)) return true;
  if (code == static_cast<int>(absl::StatusCode::kPermissionDenied)) return true;
  if (task.spec.retry().IsFinal(code)) return true;
  const auto& own = state.functions[task.function].description.not_retried();
  return std::find(own.begin(), own.end(), code) != own.end();
}

// From 0 to 1, by the task and its failures alone (invariant 7): what failed together scatters.
double ChanceOf(const Task& task) {
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  uint64_t mixed =
      task.id.high * kStep + task.id.low + static_cast<uint64_t>(task.past().failures) * kStep;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53;
}

// After a failure or a time-out: another try, or the end. What the function said beats the codes.
void RetryOrEnd(EngineState& state, Task* task, v1::TaskState end_state,
                std::unique_ptr<google::rpc::Status> error, const Outcome& said = {}) {
  const int32_t failures = ++task->Past().failures;
  const RetryRules& rules = task->spec.retry();
  const bool is_final =
      said.never_again() || (!said.has_retry_after_us() && IsFinal(state, *task, error->code()));
  if (is_final || failures >= rules.max_attempts) {
    return End(state, task, end_state, std::move(error));
  }
  const int64_t wait_us = said.has_retry_after_us()
                              ? std::clamp<int64_t>(said.retry_after_us(), 0, kDelayMaxUs)
                              : rules.BackoffUs(failures, ChanceOf(*task));
  Schedule(state, task, state.now_us + wait_us);
}

// Another attempt would most likely bring as much again.
void HoldOutputToQuota(const EngineState& state, const Task& task, Outcome& ended) {
  const tenancy::Directory::Queue& queue = state.directory->queues()[task.queue];
  const int64_t max = state.directory->QuotasOf(queue.tenant).output_bytes_max;
  const auto bytes = static_cast<int64_t>(ended.output().size());
  if (max == 0 || bytes <= max || ended.outcome() != Outcome::OUTCOME_SUCCEEDED) return;
  ended.set_outcome(Outcome::OUTCOME_FAILED);
  ended.set_never_again(true);
  ended.clear_output();
  ended.clear_output_content_type();
  const std::unique_ptr<google::rpc::Status> error =
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_OUTPUT_BYTES",
                StrCat("the output has ", bytes, " bytes, more than the ", max, " that ",
                       state.directory->tenants()[queue.tenant].resource_name(),
                       " may have (quotas.output_bytes_max)"));
  *ended.mutable_error() = *error;
}

void KeepCheckpoint(Task* task, Outcome& ended) {
  if (ended.outcome() == Outcome::OUTCOME_SUCCEEDED) {
    task->Past().checkpoint.reset();
  } else if (ended.has_checkpoint()) {
    SetCheckpoint(task, std::move(*ended.mutable_checkpoint()));
  }
}

void SetDeadline(EngineState& state, const LiveAttempt& attempt) {
  const bool listens = attempt.started && attempt.heartbeat_us > 0;
  const EngineMicros silent_us = listens ? attempt.heard_us + attempt.heartbeat_us : INT64_MAX;
  state.deadlines.Set(attempt.task, std::min(attempt.times_out_us, silent_us));
}

// Whether control would have heard it: its worker is linked, and what comes over links is read.
bool Listens(const EngineState& state, const LiveAttempt& attempt) {
  return state.workers[attempt.worker].linked && !IsClogged(state);
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
  start->set_function(state.FunctionOf(task));
  start->set_input(input);
  FillInputPayload(state, task, start);
  start->set_content_type(std::string(task.spec.content_type()));
  start->set_number(task.past().attempts.back().number);
  start->set_timeout_ms((attempt.timeout_us + kUsPerMs - 1) / kUsPerMs);
  for (const auto& [key, value] : task.spec.extras().labels)
    (*start->mutable_labels())[key] = value;
  if (task.past().checkpoint != nullptr) start->set_checkpoint(*task.past().checkpoint);
  if (const SpecTrace* const trace = task.spec.extras().trace.get()) {
    start->set_traceparent(trace->parent);
    start->set_tracestate(trace->state);
  }
}

void SendStart(const EngineState& state, const Task& task, const LiveAttempt& attempt,
               const std::string& input, Effects& effects) {
  const auto& checkpoint = task.past().checkpoint;
  const size_t checkpoint_bytes = checkpoint == nullptr ? 0 : checkpoint->size();
  FillStart(state, task, attempt, input,
            effects.FrameTo(attempt.worker, input.size() + checkpoint_bytes).add_start());
}

std::unique_ptr<google::rpc::Status> ErrorOf(Outcome& ended, absl::StatusCode code,
                                             std::string_view reason, std::string otherwise) {
  if (!ended.has_error()) return MakeError(code, reason, std::move(otherwise));
  auto error = std::make_unique<google::rpc::Status>(std::move(*ended.mutable_error()));
  error->set_message(Cut(error->message(), kErrorMessageBytesMax));
  return error;
}

// It goes on in another attempt, unless it named a task that is not there.
void SuspendOrFail(EngineState& state, Task* task, const Outcome& ended) {
  const internal::v1::Suspension& asked = ended.suspended();
  const size_t tenant = state.directory->queues()[task->queue].tenant;
  const absl::Status fits = CheckSuspension(state, tenant, asked);
  if (!fits.ok()) {
    auto error = MakeError(fits.code(), RefusalReason(fits), std::string(Std(fits.message())));
    CloseAttempt(state, task, v1::Attempt::STATE_FAILED, Outcome::OUTCOME_FAILED, error.get());
    return RetryOrEnd(state, task, v1::TASK_STATE_FAILED, std::move(error));
  }
  CloseAttempt(state, task, v1::Attempt::STATE_SUSPENDED, ended.outcome(), nullptr);
  TaskNames names;
  for (const std::string& name : asked.tasks()) names.Add(name);
  const int64_t for_us = std::clamp<int64_t>(asked.for_us(), 0, kDelayMaxUs);
  Suspend(state, task, std::move(names), asked.has_for_us() ? state.now_us + for_us : 0);
}

// Starts of earlier controls that were not on disk when those died, and of which nobody told more
// than that there was a later one: each number has its record.
void RecordLostStarts(TaskPast& past, WallMicros now_us) {
  const auto started = static_cast<size_t>(past.attempts_started);
  if (past.attempts.size() == started || started >= kAttemptsKeptMax) return;
  std::vector<AttemptRecord> known = std::exchange(past.attempts, {});
  past.attempts.reserve(started + 1);
  const auto lose_until = [&past, now_us](int32_t number) {
    while (static_cast<int32_t>(past.attempts.size()) + 1 < number) {
      AttemptRecord& lost = past.attempts.emplace_back();
      lost.number = static_cast<int32_t>(past.attempts.size());
      lost.state = v1::Attempt::STATE_INTERRUPTED;
      lost.start_us = now_us;  // nobody knows better
      lost.end_us = now_us;
      lost.error = MakeError(absl::StatusCode::kAborted, "ATTEMPT_INTERRUPTED",
                             "control died before anything of it was on disk");
    }
  };
  for (AttemptRecord& record : known) {
    lose_until(record.number);
    past.attempts.push_back(std::move(record));
  }
  lose_until(past.attempts_started + 1);
}

}  // namespace

void StartOn(EngineState& state, Task* task, int32_t worker, Effects& effects) {
  const WorkerView& on = state.workers[worker];
  SetState(state, task, v1::TASK_STATE_RUNNING);
  TaskPast& past = task->Past();
  RecordLostStarts(past, state.wall_us());
  if (past.attempts.size() >= kAttemptsKeptMax) past.attempts.erase(past.attempts.begin());
  AttemptRecord& record = past.attempts.emplace_back();
  record.number = ++past.attempts_started;
  record.worker = worker;
  record.worker_pid = on.pid;
  record.start_us = state.wall_us();
  const int64_t timeout_us = TimeoutOf(state, *task);
  LiveAttempt* attempt =
      HoldRoom(state, task, state.next_attempt++, worker, on.incarnation, timeout_us);
  attempt->times_out_us = state.now_us + timeout_us + kTimeoutGraceUs;
  SetDeadline(state, *attempt);
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

void CancelTask(EngineState& state, Task* task, std::string_view reason, Effects& effects) {
  std::string message = reason.empty() ? "cancelled" : StrCat("cancelled: ", reason);
  auto error = MakeError(absl::StatusCode::kCancelled, "TASK_CANCELLED", std::move(message));
  if (task->state == v1::TASK_STATE_RUNNING) {
    Abandon(state, state.attempts.at(task->past().attempt).get(), error->message(), effects);
    CloseAttempt(state, task, v1::Attempt::STATE_CANCELLED, Outcome::OUTCOME_CANCELLED,
                 error.get());
  }
  End(state, task, v1::TASK_STATE_CANCELLED, std::move(error));
  Commit(state, task, effects);
}

LiveAttempt* HoldRoom(EngineState& state, Task* task, uint64_t id, int32_t worker,
                      uint64_t incarnation, int64_t timeout_us) {
  auto owned = std::make_unique<LiveAttempt>();
  LiveAttempt* attempt = owned.get();
  attempt->id = id;
  attempt->task = task;
  attempt->task_id = task->id;
  attempt->worker = worker;
  attempt->incarnation = incarnation;
  attempt->queue = task->queue;
  attempt->function = task->function;
  attempt->timeout_us = timeout_us;
  attempt->heartbeat_us = task->spec.extras().heartbeat_us;
  attempt->held_since_us = state.now_us;
  attempt->expected_us = state.functions[task->function].run.us();
  task->Past().attempt = id;
  const tenancy::Directory::Queue& queue = state.directory->queues()[task->queue];
  // What an earlier control started has waited for that one.
  const int64_t waited_us = task->queued_us == 0 ? 0 : state.now_us - task->queued_us;
  state.slots.Start(queue.tenant, attempt->expected_us, waited_us, state.now_us);
  attempt->slots = task->spec.slot_cost;
  attempt->key = task->key;
  TakeSlots(state, attempt);
  ++state.functions[task->function].running;
  state.functions[task->function].aside.last = task->queue;
  ++state.workers[worker].running;
  attempt->unstarted_bytes = task->input_bytes;
  state.workers[worker].unstarted_bytes += task->input_bytes;
  state.workers[worker].attempts.PushBack(attempt);
  state.attempts.emplace(id, std::move(owned));
  return attempt;
}

void ReleaseRoom(EngineState& state, LiveAttempt* attempt) {
  const tenancy::Directory::Queue& queue = state.directory->queues()[attempt->queue];
  WorkerView& worker = state.workers[attempt->worker];
  state.slots.End(queue.tenant, attempt->expected_us, state.now_us);
  state.functions[attempt->function].run.Add(state.now_us - attempt->held_since_us);
  MarkBegun(state, attempt);
  if (attempt->task == nullptr) ForgetAbandoned(state, *attempt);
  worker.attempts.Remove(attempt);
  --worker.running;
  --state.functions[attempt->function].running;
  GiveSlots(state, attempt);
  WakeBlockedOnWorkers(state);
  WakeFunction(state, attempt->function);
  state.attempts.erase(attempt->id);
}

void MarkBegun(EngineState& state, LiveAttempt* attempt) {
  WorkerView& worker = state.workers[attempt->worker];
  const bool was_clogged = worker.unstarted_bytes > kUnstartedBytesMax;
  worker.unstarted_bytes -= std::exchange(attempt->unstarted_bytes, 0);
  if (was_clogged && worker.unstarted_bytes <= kUnstartedBytesMax) WakeBlockedOnWorkers(state);
}

void Abandon(EngineState& state, LiveAttempt* attempt, std::string_view reason, Effects& effects) {
  if (attempt->loading) return ReleaseRoom(state, attempt);  // The worker has not heard of it.
  state.abandoned[attempt->task_id].push_back(attempt->id);
  attempt->task = nullptr;
  const WorkerView& worker = state.workers[attempt->worker];
  if (worker.stuck) GiveSlots(state, attempt);
  if (!worker.linked) return;
  auto* cancel = effects.FrameTo(attempt->worker).add_cancel();
  cancel->set_attempt(attempt->id);
  cancel->set_reason(std::string(reason));
}

bool ReleaseAbandoned(EngineState& state, TaskId task) {
  const auto found = state.abandoned.find(task);
  if (found == state.abandoned.end()) return false;
  const std::vector<uint64_t> attempts = found->second;
  for (const uint64_t id : attempts) ReleaseRoom(state, state.attempts.at(id).get());
  return true;
}

void TakeInput(EngineState& state, Task* task, const std::string& input, Effects& effects) {
  LiveAttempt& attempt = *state.attempts.at(task->past().attempt);
  attempt.loading = false;
  SendStart(state, *task, attempt, input, effects);
}

void LoseInput(EngineState& state, Task* task, const absl::Status& why, Effects& effects) {
  ReleaseRoom(state, state.attempts.at(task->past().attempt).get());
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

void FinishAttempt(EngineState& state, Task* task, Outcome&& ended, int32_t worker,
                   Effects& effects) {
  TaskPast& past = task->Past();
  AttemptRecord& record = past.attempts.back();
  if (ended.start_time_us() > 0) record.start_us = ended.start_time_us();
  if (ended.end_time_us() > 0) record.end_us = std::max(ended.end_time_us(), record.start_us);
  HoldOutputToQuota(state, *task, ended);
  KeepCheckpoint(task, ended);
  switch (ended.outcome()) {
    case Outcome::OUTCOME_SUCCEEDED:
      CloseAttempt(state, task, v1::Attempt::STATE_SUCCEEDED, ended.outcome(), nullptr);
      past.output = std::move(*ended.mutable_output());
      past.output_bytes = static_cast<int64_t>(past.output.size());
      past.output_content_type = std::move(*ended.mutable_output_content_type());
      if (ended.has_output_payload()) {
        SetOutputPayload(state, *task, ended.output_payload().file());
      }
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
    case Outcome::OUTCOME_SUSPENDED:
      SuspendOrFail(state, task, ended);
      break;
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
      RetryOrEnd(state, task, v1::TASK_STATE_FAILED, std::move(error), ended);
    }
  }
  Commit(state, task, effects, ended.attempt(), worker);
}

void SetCheckpoint(Task* task, std::string checkpoint) {
  task->Past().checkpoint =
      checkpoint.empty() ? nullptr : std::make_unique<std::string>(std::move(checkpoint));
}

void Begin(EngineState& state, LiveAttempt* attempt) {
  attempt->started = true;
  attempt->heard_us = state.now_us;
  MarkBegun(state, attempt);
  if (attempt->task != nullptr) SetDeadline(state, *attempt);
}

void Hear(EngineState& state, LiveAttempt* attempt) {
  attempt->heard_us = state.now_us;
  if (attempt->heartbeat_us > 0) SetDeadline(state, *attempt);
}

void TimeOut(EngineState& state, Task* task, Effects& effects) {
  LiveAttempt* attempt = state.attempts.at(task->past().attempt).get();
  const bool is_silent = state.now_us < attempt->times_out_us;
  if (is_silent && !Listens(state, *attempt)) return Hear(state, attempt);
  // The time-out counts from the start: who has not started may still do so elsewhere.
  if (!attempt->started) {
    return TakeBack(state, attempt,
                    StrCat("workers/", attempt->worker, " has not started it in time"), effects);
  }
  const std::string worker = StrCat("workers/", attempt->worker);
  auto error = is_silent
                   ? MakeError(absl::StatusCode::kDeadlineExceeded, "HEARTBEAT_TIMEOUT",
                               StrCat("the attempt on ", worker,
                                      " has said nothing for its "
                                      "heartbeat_timeout of ",
                                      attempt->heartbeat_us / kUsPerMs, " ms"))
                   : MakeError(absl::StatusCode::kDeadlineExceeded, "ATTEMPT_TIMED_OUT",
                               StrCat("the time-out of ", attempt->timeout_us / kUsPerMs,
                                      " ms is over and ", worker, " has not stopped the attempt"));
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
  if (why == Interruption::kWorkerDied) ++task->Past().interruptions;
  if (why == Interruption::kWorkerDied &&
      task->past().interruptions >= state.limits.interruptions_max()) {
    End(state, task, v1::TASK_STATE_FAILED,
        MakeError(absl::StatusCode::kAborted, "WORKER_DIED_TOO_OFTEN",
                  StrCat("its worker died ", task->past().interruptions,
                         " times while it ran (tasks.interruptions_max); last: ", reason)));
  } else {
    Enqueue(state, task, /*to_front=*/true);
  }
  Commit(state, task, effects);
}

}  // namespace grove::tasks
