#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/tasks/engine.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/views.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

// nullptr if the record does not parse.
std::unique_ptr<Task> Restore(EngineState& state, const StoredTask& stored, size_t queue) {
  auto task = std::make_unique<Task>();
  v1::TaskSpec spec;
  if (!spec.ParseFromString(stored.spec) || !RestoreProgress(stored.progress, *task))
    return nullptr;
  task->id = stored.id;
  task->queue = queue;
  task->spec = NormaliseSpec(std::move(spec));
  task->function = state.InternFunction(task->spec.function);
  task->spec.durable = true;
  task->stored = true;
  return task;
}

bool CanHold(const EngineState& state, const Task& task, const StoredProgress& stored) {
  return stored.attempt != 0 && state.FindWorker(stored.worker) != nullptr &&
         !task.attempts.empty() && !state.attempts.contains(stored.attempt);
}

// The attempt may still run: its worker's Hello will tell.
void Resume(EngineState& state, Task* task, const StoredProgress& stored) {
  SetState(state, task, v1::TASK_STATE_RUNNING);
  const int64_t timeout_us = task->spec.timeout_us > 0
                                 ? task->spec.timeout_us
                                 : state.limits.default_timeout_ms() * kUsPerMs;
  HoldRoom(state, task, stored.attempt, stored.worker, stored.incarnation, timeout_us);
  WorkerView& worker = state.HearOf(stored.worker);
  worker.grace_ends_us = state.now_us + kLinkGraceUs;
  const WallMicros started_us = task->attempts.back().start_us;
  state.deadlines.Set(task, std::max(started_us + timeout_us + kTimeoutGraceUs,
                                     worker.grace_ends_us + kTimeoutGraceUs));
}

void PlaceLive(EngineState& state, Task* task, const StoredProgress& stored) {
  const v1::TaskState was = std::exchange(task->state, v1::TASK_STATE_UNSPECIFIED);
  if (was == v1::TASK_STATE_RUNNING && CanHold(state, *task, stored)) {
    return Resume(state, task, stored);
  }
  if (was == v1::TASK_STATE_SCHEDULED) return Schedule(state, task, task->schedule_us);
  Enqueue(state, task, /*to_front=*/false);
}

void PlaceEnded(EngineState& state, Task* task) {
  SetState(state, task, std::exchange(task->state, v1::TASK_STATE_UNSPECIFIED));
  state.live_bytes -= task->spec.input.size();
  task->settled = true;
  state.ended.PushBack(task);
  ++state.ended_count;
  state.ended_bytes += task->size_bytes();
}

}  // namespace

RecoveryReport TaskEngine::Recover(const std::vector<StoredTask>& stored_tasks, WallMicros now_us) {
  EngineState& state = *state_;
  state.Advance(now_us);
  RecoveryReport report;
  std::vector<Task*> ended;
  for (const StoredTask& stored : stored_tasks) {
    const auto queue = state.directory->FindQueue(stored.tenant, stored.queue);
    if (!queue) {
      ++report.left_in_store[tenancy::FormatQueueName(stored.tenant, stored.queue)];
      continue;
    }
    std::unique_ptr<Task> restored = Restore(state, stored, *queue);
    if (restored == nullptr || state.FindTask(stored.id) != nullptr) {
      ++report.unreadable;
      continue;
    }
    Task* task = AddTask(state, std::move(restored));
    ++report.restored;
    if (task->ended()) {
      ended.push_back(task);
    } else {
      PlaceLive(state, task, stored.progress);
    }
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [](const Task* a, const Task* b) { return a->end_us < b->end_us; });
  for (Task* task : ended) PlaceEnded(state, task);
  return report;
}

}  // namespace grove::tasks
