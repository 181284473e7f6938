// A link may break at any byte, so neither side knows what the other has heard. Hello is how they
// agree again, and the order of its steps matters:
//
// 1. Attempts of an earlier process (another incarnation) are interrupted first: they cannot be in
//    this Hello, and must not be taken for attempts that never arrived.
// 2. Ends are taken before the running ones are compared: an attempt that ended is not missing.
// 3. What the worker runs is marked `confirmed`, or cancelled if control does not know it.
// 4. Whatever is not confirmed never reached the worker, and goes back to the front of its queue.
//    Asking takes the mark away (std::exchange): it is this Hello's alone, and an attempt that kept
//    it would look confirmed in the next one, whether or not that worker had it.
//
// Of an attempt that control does not know, and that may be one of a task it does know, the number
// is taken (LearnAttempt): nothing starts after a recovery before every worker has said so much, or
// kWorkersAwaitedUs are over.
//
// A worker repeats an end until it is acknowledged (invariant 9). So an end may come twice, or for
// an attempt that control gave up: it is acknowledged and dropped, unless its first telling is
// still on its way to the disk (`unacknowledged`), when the acknowledgement follows with the
// store's word.
#include "server/tasks/workers.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/tasks/commit.h"
#include "server/tasks/gateway_functions.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/refusal.h"
#include "server/tasks/slot_bounds.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

absl::Status CheckHello(const EngineState& state, const internal::v1::Hello& hello) {
  if (state.FindWorker(hello.worker()) == nullptr) {
    return Refusal(absl::StatusCode::kInvalidArgument, "WORKER_OUT_OF_RANGE",
                   absl::StrCat("worker ", hello.worker(), " of process ", hello.pid(),
                                " is out of range; at most ", kWorkerNumbersMax, " are possible"));
  }
  if (state.functions.size() + hello.functions_size() > kFunctionsMax) {
    return Refusal(absl::StatusCode::kInvalidArgument, "TOO_MANY_FUNCTIONS",
                   absl::StrCat("workers/", hello.worker(), " announces ", hello.functions_size(),
                                " functions; at most ", kFunctionsMax, " are possible in all"));
  }
  return absl::OkStatus();
}

// From the newest to the oldest, each to the front of its queue: they run again in the order in
// which they started.
template <typename Predicate>
void InterruptIf(EngineState& state, WorkerView& worker, Interruption why, std::string_view reason,
                 Effects& effects, Predicate predicate) {
  LiveAttempt* attempt = worker.attempts.back();
  while (attempt != nullptr) {
    LiveAttempt* previous = attempt->worker_hook.previous;
    if (predicate(*attempt)) Interrupt(state, attempt, why, reason, effects);
    attempt = previous;
  }
}

void LearnFunctions(EngineState& state, WorkerView& worker, internal::v1::Hello& hello,
                    Effects& effects) {
  worker.functions.assign(worker.functions.size(), false);
  for (internal::v1::FunctionDescription& description : *hello.mutable_functions()) {
    const size_t index = state.InternFunction(description.name());
    if (worker.functions.size() <= index) worker.functions.resize(index + 1);
    worker.functions[index] = true;
    if (IsGatewayWorker(hello.worker())) KeepFunction(state, index, description, effects);
    state.functions[index].known = true;
    state.functions[index].description = std::move(description);
    Unstrand(state, index);
    WakeFunction(state, index);
  }
}

// What the worker runs: known attempts go on, others are stopped.
void CompareRunning(EngineState& state, WorkerView& worker, const internal::v1::Hello& hello,
                    Effects& effects) {
  for (uint64_t id : hello.running()) {
    auto it = state.attempts.find(id);
    LiveAttempt* attempt = it == state.attempts.end() ? nullptr : it->second.get();
    const bool is_known = attempt != nullptr && attempt->worker == hello.worker();
    if (is_known) {
      attempt->confirmed = true;
      Begin(state, attempt);
    }
    if (!is_known) worker.foreign.insert(id);
    if (is_known && attempt->task != nullptr) continue;
    auto* cancel = effects.FrameTo(hello.worker()).add_cancel();
    cancel->set_attempt(id);
    cancel->set_reason(is_known ? "its task has ended" : "control does not know this attempt");
  }
}

// A start that an earlier control had sent, and that was not on disk when it died: the attempt has
// its number, which no other gets.
void LearnAttempt(EngineState& state, const internal::v1::Hello& hello,
                  const internal::v1::RunningAttempt& running, Effects& effects) {
  if (state.attempts.contains(running.attempt()) || running.number() <= 0) return;
  const auto name = tenancy::ParseTaskName(running.task());
  const auto id = name.ok() ? TaskId::Parse(name->task) : std::nullopt;
  Task* task = id ? state.FindTask(*id) : nullptr;
  if (task == nullptr || task->ended()) return;
  TaskPast& past = task->Past();
  const auto place =
      std::find_if(past.attempts.begin(), past.attempts.end(),
                   [&](const AttemptRecord& record) { return record.number >= running.number(); });
  const bool is_there = place != past.attempts.end() && place->number == running.number();
  const bool is_forgotten =
      place == past.attempts.begin() && past.attempts.size() >= kAttemptsKeptMax;
  if (is_there || is_forgotten) return;
  past.attempts_started = std::max(past.attempts_started, running.number());
  // The last record is the running attempt's.
  if (past.attempt != 0 && place == past.attempts.end()) return;
  AttemptRecord record;
  record.number = running.number();
  record.state = v1::Attempt::STATE_INTERRUPTED;
  record.worker = hello.worker();
  record.worker_pid = hello.pid();
  record.start_us = running.start_time_us();
  record.end_us = std::max(state.wall_us(), record.start_us);
  record.error = MakeError(absl::StatusCode::kAborted, "ATTEMPT_INTERRUPTED",
                           "control died before its start was on disk");
  past.attempts.insert(place, std::move(record));
  Commit(state, task, effects);
}

std::string DeathNotice(int32_t worker, int64_t pid) {
  return pid == 0 ? absl::StrCat("workers/", worker, " died")
                  : absl::StrCat("workers/", worker, " (process ", pid, ") died");
}

}  // namespace

absl::Status ConnectWorker(EngineState& state, internal::v1::Hello hello, Effects& effects) {
  if (absl::Status status = CheckHello(state, hello); !status.ok()) return status;
  const int32_t number = hello.worker();
  WorkerView& worker = state.HearOf(number);
  state.any_worker_seen = true;
  InterruptIf(
      state, worker, Interruption::kWorkerDied, DeathNotice(number, worker.pid), effects,
      [&hello](const LiveAttempt& attempt) { return attempt.incarnation != hello.incarnation(); });
  worker.linked = true;
  worker.draining = false;
  worker.stuck = false;
  worker.pid = hello.pid();
  worker.incarnation = hello.incarnation();
  worker.capacity = std::max<int64_t>(hello.capacity(), 0);
  worker.grace_ends_us = INT64_MAX;
  worker.foreign.clear();
  LearnFunctions(state, worker, hello, effects);
  for (internal::v1::AttemptEnded& ended : *hello.mutable_ended()) {
    TakeEnd(state, number, std::move(ended), effects);
  }
  for (const internal::v1::RunningAttempt& running : hello.attempts()) {
    LearnAttempt(state, hello, running, effects);
  }
  CompareRunning(state, worker, hello, effects);
  InterruptIf(state, worker, Interruption::kGivenBack,
              "the link broke before it reached the worker", effects,
              [](LiveAttempt& attempt) { return !std::exchange(attempt.confirmed, false); });
  // Queues that found all workers full try again.
  WakeBlockedOnWorkers(state);
  return absl::OkStatus();
}

void UnlinkWorker(EngineState& state, int32_t number) {
  WorkerView* worker = state.FindWorker(number);
  if (worker == nullptr || !worker->linked) return;
  worker->linked = false;
  worker->grace_ends_us = state.now_us + kLinkGraceUs;
  WakeBlockedOnWorkers(state);
}

void DrainWorker(EngineState& state, int32_t number) {
  WorkerView* worker = state.FindWorker(number);
  if (worker == nullptr) return;
  worker->draining = true;
  WakeBlockedOnWorkers(state);
}

void SetCapacity(EngineState& state, int32_t number, int64_t capacity) {
  WorkerView* worker = state.FindWorker(number);
  if (worker == nullptr) return;
  worker->capacity = std::max<int64_t>(capacity, 0);
  WakeBlockedOnWorkers(state);
}

bool SetStuck(EngineState& state, int32_t number, bool is_stuck, Effects& effects) {
  WorkerView* worker = state.FindWorker(number);
  if (worker == nullptr || worker->stuck == is_stuck) return false;
  worker->stuck = is_stuck;
  WakeBlockedOnWorkers(state);
  if (!is_stuck) return true;
  // Newest first, as above.
  LiveAttempt* attempt = worker->attempts.back();
  while (attempt != nullptr) {
    LiveAttempt* previous = attempt->worker_hook.previous;
    if (attempt->task == nullptr) {
      GiveSlots(state, attempt);
    } else if (!attempt->started) {
      TakeBack(state, attempt, absl::StrCat("workers/", number, " is stuck and has not started it"),
               effects);
    }
    attempt = previous;
  }
  return true;
}

void LoseWorker(EngineState& state, int32_t number, Effects& effects) {
  WorkerView* worker = state.FindWorker(number);
  if (worker == nullptr) return;
  worker->linked = false;
  worker->stuck = false;
  worker->grace_ends_us = INT64_MAX;
  worker->foreign.clear();
  InterruptIf(state, *worker, Interruption::kWorkerDied, DeathNotice(number, worker->pid), effects,
              [](const LiveAttempt&) { return true; });
  WakeBlockedOnWorkers(state);
}

void TakeEnd(EngineState& state, int32_t number, internal::v1::AttemptEnded&& ended,
             Effects& effects) {
  WorkerView* worker = state.FindWorker(number);
  if (worker == nullptr) return;
  if (worker->foreign.erase(ended.attempt()) > 0) WakeBlockedOnWorkers(state);
  // Told again after a new link; the acknowledgement comes when the store has it.
  if (state.unacknowledged.contains(ended.attempt())) return;
  auto it = state.attempts.find(ended.attempt());
  if (it == state.attempts.end() || it->second->worker != number) {
    effects.FrameTo(number).add_acknowledged(ended.attempt());
    return;
  }
  LiveAttempt* attempt = it->second.get();
  Task* task = attempt->task;
  effects.tallies.push_back({.kind = Tally::Kind::kRan,
                             .queue = attempt->queue,
                             .function = attempt->function,
                             .us = ended.run_time_us()});
  ReleaseRoom(state, attempt);
  if (task == nullptr) {
    effects.FrameTo(number).add_acknowledged(ended.attempt());
    return;
  }
  FinishAttempt(state, task, std::move(ended), number, effects);
}

// The process may live, or control was replaced and it died meanwhile: a death only where nobody
// has seen it alive.
void EndGraces(EngineState& state, Effects& effects) {
  for (const int32_t i : state.heard_of) {
    WorkerView& worker = state.workers[i];
    if (worker.grace_ends_us > state.now_us) continue;
    worker.grace_ends_us = INT64_MAX;
    const Interruption why = worker.pid == 0 ? Interruption::kWorkerDied : Interruption::kGivenBack;
    InterruptIf(
        state, worker, why,
        absl::StrCat("workers/", i, " was not reached for ", kLinkGraceUs / kUsPerSecond, " s"),
        effects, [](const LiveAttempt&) { return true; });
  }
}

bool AwaitsWorkers(const EngineState& state) {
  if (state.now_us >= state.workers_awaited_until_us) return false;
  for (int32_t i = 0; i < state.workers_awaited; ++i) {
    if (state.workers[i].pid == 0) return true;
  }
  return false;
}

EngineMicros NextGraceEnd(const EngineState& state) {
  EngineMicros next_us = INT64_MAX;
  for (const int32_t i : state.heard_of) {
    next_us = std::min(next_us, state.workers[i].grace_ends_us);
  }
  return next_us;
}

}  // namespace grove::tasks
