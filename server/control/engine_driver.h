// EngineDriver: carries out what the task engine decides.
//
// Every event for the engine goes through it or is followed by Changed(). Once per hub turn that
// saw an event, its fiber ticks the engine, hands frames to the links and writes to the store, and
// ends the waits of tasks that were acknowledged or have ended. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_ENGINE_DRIVER_H_
#define GROVE_SERVER_CONTROL_ENGINE_DRIVER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/event.h"
#include "server/control/task_waits.h"
#include "server/metrics/histogram.h"
#include "server/tasks/engine.h"
#include "server/wall_time.h"

namespace grove::control {

// What a refused client should wait before it tries the next control.
inline constexpr int64_t kDrainRetryMs = 1000;

class EngineDriver {
 public:
  using Sender = absl::AnyInvocable<void(int32_t worker, internal::v1::ControlFrame frame)>;

  // All must outlive it. The store is started by the constructor and stopped by Flush().
  EngineDriver(Hub& hub, tasks::TaskEngine& engine, tasks::TaskStore& store);

  // Before Run().
  void set_sender(Sender sender) { sender_ = std::move(sender); }
  // The body of its fiber: until cancelled. **Parks.**
  absl::Status Run();

  // --- Events -----------------------------------------------------------------------------------

  // As TaskEngine::Spawn; UNAVAILABLE while draining.
  absl::StatusOr<tasks::Spawned> Spawn(std::string_view parent, const v1::TaskSpec& spec);
  absl::Status Cancel(std::string_view name, std::string_view reason);
  absl::Status ResizePool(std::string_view name, int64_t size);
  absl::Status WorkerUp(internal::v1::Hello hello);
  void WorkerUnlinked(int32_t worker);
  void WorkerDown(int32_t worker);
  // Everything in it but Hello and replies of ListFibers.
  void FromWorker(int32_t worker, internal::v1::WorkerFrame& frame);

  // From now on spawns are refused and no attempt is started.
  void Drain(int workers);
  bool draining() const { return draining_; }
  // Until the next round is carried out: whatever changed in the engine, a round follows.
  // **Parks.**
  absl::Status AwaitRound();
  // After the drain: writes what is pending, and ends all waits with UNAVAILABLE. **Parks.**
  absl::Status Flush(OffloadPool& offload);
  // What a call gets while control drains.
  static absl::Status DrainingStatus();

  // --- Queries ----------------------------------------------------------------------------------

  const tasks::TaskEngine& engine() const { return engine_; }
  // Tasks whose spawn waits for the disk; tasks that somebody waits for.
  TaskWaits& acknowledgements() { return acknowledgements_; }
  TaskWaits& ends() { return ends_; }

  const metrics::QueueWaitHistogram& queue_wait() const { return queue_wait_; }
  // Refused before the engine saw them, by reason.
  const absl::btree_map<std::string, int64_t>& rejected() const { return rejected_; }

 private:
  void Changed() { changed_.Set(); }
  void CarryOut();

  // Constant after construction.
  Hub& hub_;
  tasks::TaskEngine& engine_;
  tasks::TaskStore& store_;
  const WallMicros started_us_;
  Sender sender_;

  Event changed_;
  // Set for a moment at the end of each round.
  Event round_;
  tasks::Effects effects_;
  bool draining_ = false;
  TaskWaits acknowledgements_;
  TaskWaits ends_;
  metrics::QueueWaitHistogram queue_wait_{metrics::kQueueWaitBounds};
  absl::btree_map<std::string, int64_t> rejected_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_ENGINE_DRIVER_H_
