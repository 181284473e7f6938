#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/tasks/commit.h"
#include "server/tasks/engine.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/evicted_tasks.h"
#include "server/tasks/gateway_functions.h"
#include "server/tasks/holds.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/payload_links.h"
#include "server/tasks/restoring.h"
#include "server/tasks/retention.h"
#include "server/tasks/sequences.h"
#include "server/tasks/spawn_quotas.h"
#include "server/tasks/task_memory.h"
#include "server/tasks/views.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

// Ended tasks that a start takes into memory with all that is theirs; of more, what others ask for.
constexpr size_t kRestoredEndsMax = 10'000;

// The number of the daemon that the attempt's worker belonged to (Hello.incarnation's upper half).
bool IsOfThisDaemon(const EngineState& state, const StoredProgress& stored) {
  return stored.incarnation >> 32 == state.daemon_number;
}

// Its worker does not end with the daemon, and comes back to say what became of it.
bool MayStillRun(const EngineState& state, const StoredProgress& stored) {
  return IsOfThisDaemon(state, stored) || IsGatewayWorker(stored.worker);
}

bool CanHold(const EngineState& state, const Task& task, const StoredProgress& stored) {
  return stored.attempt != 0 && state.FindWorker(stored.worker) != nullptr &&
         !task.past().attempts.empty() && !state.attempts.contains(stored.attempt);
}

// The attempt may still run: its worker's Hello will tell.
void Resume(EngineState& state, Task* task, const StoredProgress& stored) {
  SetState(state, task, v1::TASK_STATE_RUNNING);
  const int64_t timeout_us = task->spec.timeout_us > 0
                                 ? task->spec.timeout_us
                                 : state.limits.default_timeout_ms() * kUsPerMs;
  LiveAttempt* attempt =
      HoldRoom(state, task, stored.attempt, stored.worker, stored.incarnation, timeout_us);
  WorkerView& worker = state.HearOf(stored.worker);
  worker.grace_ends_us = state.now_us + kLinkGraceUs;
  const EngineMicros started_us = state.FromWall(task->past().attempts.back().start_us);
  attempt->times_out_us =
      std::max(started_us + timeout_us + kTimeoutGraceUs, worker.grace_ends_us + kTimeoutGraceUs);
  state.deadlines.Set(task, attempt->times_out_us);
}

// Its worker ended with the daemon, which is no fault of the task's: this does not count towards
// interruptions_max.
void Requeue(EngineState& state, Task* task) {
  AttemptRecord& record = task->Past().attempts.back();
  record.state = v1::Attempt::STATE_INTERRUPTED;
  record.fiber = 0;
  record.end_us = state.wall_us();
  record.error =
      MakeError(absl::StatusCode::kAborted, "ATTEMPT_INTERRUPTED", "the daemon ended while it ran");
  Charge(state, *task);
  Await(state, task, state.now_us);
}

// What it has waited before counts.
void EnqueueAgain(EngineState& state, Task* task) {
  Enqueue(state, task, /*to_front=*/false);
  if (task->spec.extras().schedule_to_start_us == 0) return;
  EngineMicros since_us = task->ready_us;
  if (!task->past().attempts.empty()) {
    since_us = std::max(since_us, state.FromWall(task->past().attempts.back().end_us));
  }
  state.deadlines.Set(task,
                      std::min(since_us, state.now_us) + task->spec.extras().schedule_to_start_us);
}

void PlaceLive(EngineState& state, Task* task, const StoredProgress& stored) {
  const v1::TaskState was = std::exchange(task->state, v1::TASK_STATE_UNSPECIFIED);
  const bool is_running = was == v1::TASK_STATE_RUNNING && CanHold(state, *task, stored);
  if (is_running && MayStillRun(state, stored)) {
    KeepTurn(task);
    return Resume(state, task, stored);
  }
  HoldRecovered(state, task);
  if (is_running) return Requeue(state, task);
  if (IsHeld(*task)) return Await(state, task, task->schedule_us);
  if (was == v1::TASK_STATE_SCHEDULED) return Schedule(state, task, task->schedule_us);
  EnqueueAgain(state, task);
}

void PlaceEnded(EngineState& state, Task* task) {
  SetState(state, task, std::exchange(task->state, v1::TASK_STATE_UNSPECIFIED));
  task->settled = true;
  ListEnd(state, task);
  // Whoever is behind it waits.
  if (Halts(*task)) state.recovered_holds.push_back(task->id);
  Charge(state, *task);
  if (!task->spec.durable) return;
  state.payloads_to_drop.push_back({task->id, state.turn + 1});
  state.to_evict.push_back({task->id, task->past().settled_turn});
}

// More of them are there than stay for a moment, and nothing else hangs on it.
bool MayLeaveAtOnce(const EngineState& state, const Task& task) {
  const bool is_related = task.spec.extras().relations != nullptr || task.relations != nullptr;
  return task.spec.durable && !is_related && !Halts(task) &&
         state.recovered_ends.size() >= kRestoredEndsMax;
}

// An ended one that only the store keeps.
void RecoverEvicted(EngineState& state, TaskId id, EvictedTask task) {
  ++state.counts[{task.queue, task.function}][task.state];
  ++state.ended_count;
  CountEnded(state, task.queue, task.state, 1);
  Retain(state, {.end_us = task.end_us, .id = id}, task.queue, task.state);
  AddEvicted(state, id, std::move(task));
  ++state.recovery.restored;
}

void AddEnded(EngineState& state, Task& task) {
  HoldPayloads(state, task);
  CountEarlierSpawn(state, task);
  RecoverEvicted(state, task.id, AsEvicted(state, task));
}

}  // namespace

void TaskEngine::Recover(const StoredTask& stored, EngineMicros now_us) {
  EngineState& state = *state_;
  state.Advance(now_us);
  const auto queue = state.directory->FindQueue(stored.tenant, stored.queue);
  if (!queue) {
    HoldPayloadsOf(state, stored);
    ++state.recovery.left_in_store[tenancy::FormatQueueName(stored.tenant, stored.queue)];
    return;
  }
  std::unique_ptr<Task> restored = Restore(state, stored, *queue);
  // They come in the order of their ids: which of them are there is not looked up for each.
  const bool is_new = state.recovered_last < stored.id || state.FindTask(stored.id) == nullptr;
  if (restored == nullptr || !is_new) {
    ++state.recovery.unreadable;
    return;
  }
  state.recovers = true;
  if (restored->ended() && MayLeaveAtOnce(state, *restored)) {
    state.ids.PassOver(restored->id);
    state.recovered_last = std::max(state.recovered_last, stored.id);
    return AddEnded(state, *restored);
  }
  state.recovered_last = std::max(state.recovered_last, stored.id);
  state.ids.PassOver(stored.id);
  Task* task = AddTask(state, std::move(restored));
  // One task's payload at a time: a store may hold more than the memory.
  DropPayload(state, *task);
  ++state.recovery.restored;
  if (task->ended()) {
    state.recovered_ends.push_back(task);
  } else {
    PlaceLive(state, task, stored.progress);
    state.workers_awaited_until_us = state.now_us + kWorkersAwaitedUs;
  }
  CountEarlierSpawn(state, *task);
}

void TaskEngine::RecoverEnded(const EndedRecord& ended, EngineMicros now_us) {
  EngineState& state = *state_;
  state.Advance(now_us);
  const auto queue = state.directory->FindQueue(ended.tenant, ended.queue);
  if (!queue) {
    ++state.recovery.left_in_store[tenancy::FormatQueueName(ended.tenant, ended.queue)];
    return;
  }
  const bool is_end = v1::TaskState_IsValid(ended.state) &&
                      ended.state >= static_cast<int>(v1::TASK_STATE_SUCCEEDED);
  if (!is_end || state.FindTask(ended.id) != nullptr || FindEvicted(state, ended.id) != nullptr) {
    ++state.recovery.unreadable;
    return;
  }
  state.ids.PassOver(ended.id);
  EvictedTask task{.end_us = std::min(state.FromWall(ended.end_time_us), state.now_us),
                   .queue = static_cast<uint32_t>(*queue),
                   .function = static_cast<uint32_t>(state.InternFunction(ended.function)),
                   .state = static_cast<v1::TaskState>(ended.state)};
  CountEarlierSpawn(state, state.directory->queues()[*queue].tenant,
                    state.FromWall(static_cast<int64_t>(ended.id.high >> 16) * 1000));
  RecoverEvicted(state, ended.id, std::move(task));
}

void TaskEngine::RecoverQueue(const StoredQueue& stored) {
  if (RecoverFunction(*state_, stored)) return;
  v1::Queue said;
  const auto index = state_->directory->FindQueue(stored.tenant, stored.queue);
  if (!index || !said.ParseFromString(stored.settings)) return;
  state_->queues[*index].paused = said.state() == v1::Queue::STATE_PAUSED;
  state_->queues[*index].pause_reason = said.pause_reason();
}

RecoveryReport TaskEngine::EndRecovery(EngineMicros now_us) {
  EngineState& state = *state_;
  state.Advance(now_us);
  std::vector<Task*> ended = std::exchange(state.recovered_ends, {});
  std::stable_sort(ended.begin(), ended.end(), [](const Task* a, const Task* b) {
    return a->past().end_us < b->past().end_us;
  });
  for (Task* task : ended) PlaceEnded(state, task);
  OrderRetained(state);
  EndHoldsRecovery(state);
  state.recovered_spec = {};
  state.recovered_progress = {};
  EndEarlierSpawns(state);
  return std::exchange(state.recovery, {});
}

void TaskEngine::ForEachVolatile(absl::FunctionRef<void(const StoredTask&)> each) const {
  std::vector<const Task*> tasks;
  state_->tasks.ForEach([&tasks](const Task& task) {
    if (!task.spec.durable) tasks.push_back(&task);
  });
  std::sort(tasks.begin(), tasks.end(), [](const Task* a, const Task* b) { return a->id < b->id; });
  // One at a time: together they may fill half the memory.
  for (const Task* task : tasks) each(EncodeTask(*state_, *task));
}

}  // namespace grove::tasks
