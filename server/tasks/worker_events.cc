// What the engine is told of workers and of their attempts.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "server/tasks/commit.h"
#include "server/tasks/engine.h"
#include "server/tasks/engine_event.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/task_memory.h"
#include "server/tasks/workers.h"

namespace grove::tasks {
namespace {

constexpr size_t kProgressMessageMax = 1024;
// Workers bound it more closely.
constexpr size_t kCheckpointBytesMax = 1 << 20;

LiveAttempt* RunningAttempt(const EngineState& state, int32_t worker, uint64_t attempt) {
  auto it = state.attempts.find(attempt);
  if (it == state.attempts.end() || it->second->worker != worker) return nullptr;
  return it->second->task == nullptr ? nullptr : it->second.get();
}

}  // namespace

absl::Status TaskEngine::WorkerUp(internal::v1::Hello hello, EngineMicros now_us,
                                  Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  return ConnectWorker(*state_, std::move(hello), effects);
}

void TaskEngine::WorkerUnlinked(int32_t worker, EngineMicros now_us) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  UnlinkWorker(*state_, worker);
}

void TaskEngine::WorkerDown(int32_t worker, EngineMicros now_us, Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  LoseWorker(*state_, worker, effects);
}

void TaskEngine::WorkerDraining(int32_t worker) {
  const EngineEvent event(*state_);
  DrainWorker(*state_, worker);
}

void TaskEngine::AttemptStarted(int32_t worker, const internal::v1::AttemptStarted& started,
                                EngineMicros now_us) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  LiveAttempt* attempt = RunningAttempt(*state_, worker, started.attempt());
  if (attempt == nullptr) return;
  attempt->task->Past().attempts.back().fiber = started.fiber();
  // The time-out counts from the start, which may have had to wait for the worker.
  attempt->times_out_us = state_->now_us + attempt->timeout_us + kTimeoutGraceUs;
  Begin(*state_, attempt);
}

void TaskEngine::AttemptEnded(int32_t worker, internal::v1::AttemptEnded&& ended,
                              EngineMicros now_us, Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  TakeEnd(*state_, worker, std::move(ended), effects);
}

void TaskEngine::AttemptProgress(int32_t worker, internal::v1::AttemptProgress progress,
                                 EngineMicros now_us) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  LiveAttempt* attempt = RunningAttempt(*state_, worker, progress.attempt());
  if (attempt == nullptr) return;
  Hear(*state_, attempt);
  Task* task = attempt->task;
  // Written so that NaN becomes 0.
  task->Past().progress = progress.fraction() > 0 ? std::min(progress.fraction(), 1.0) : 0;
  if (progress.message().size() <= kProgressMessageMax) {
    task->Past().progress_message = std::move(*progress.mutable_message());
  }
  Charge(*state_, *task);
}

void TaskEngine::AttemptHeartbeat(int32_t worker, internal::v1::AttemptHeartbeat heartbeat,
                                  EngineMicros now_us, Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  LiveAttempt* attempt = RunningAttempt(*state_, worker, heartbeat.attempt());
  if (attempt == nullptr) return;
  Hear(*state_, attempt);
  if (!heartbeat.has_checkpoint() || heartbeat.checkpoint().size() > kCheckpointBytesMax) return;
  SetCheckpoint(attempt->task, std::move(*heartbeat.mutable_checkpoint()));
  Commit(*state_, attempt->task, effects);
}

void TaskEngine::WorkerCapacity(int32_t worker, int64_t capacity) {
  const EngineEvent event(*state_);
  SetCapacity(*state_, worker, capacity);
}

bool TaskEngine::WorkerStuck(int32_t worker, bool is_stuck, EngineMicros now_us, Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  return SetStuck(*state_, worker, is_stuck, effects);
}

int64_t TaskEngine::RunningOn(int32_t worker) const {
  const WorkerView* view = state_->FindWorker(worker);
  return view == nullptr ? 0 : view->running;
}

std::optional<uint64_t> TaskEngine::AwaitedOn(int32_t worker) const {
  const WorkerView* view = std::as_const(*state_).FindWorker(worker);
  if (view == nullptr || view->linked || view->attempts.front() == nullptr) return std::nullopt;
  return view->attempts.front()->incarnation;
}

}  // namespace grove::tasks
