// EngineDriver: carries out what the task engine decides.
//
// Every event for the engine goes through it or is followed by Changed(). Once per hub turn that
// saw an event, its fiber ticks the engine, hands frames to the links and writes to the store, and
// ends the waits of tasks that were acknowledged or have ended. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_ENGINE_DRIVER_H_
#define GROVE_SERVER_CONTROL_ENGINE_DRIVER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/event.h"
#include "server/control/task_tally.h"
#include "server/control/task_waits.h"
#include "server/metrics/shared_series.h"
#include "server/tasks/engine.h"
#include "server/wall_time.h"

namespace grove::control {

// What a refused client should wait before it tries the next control.
inline constexpr int64_t kDrainRetryMs = 1000;
// A round that comes this much after its deadline comes after a standstill.
inline constexpr absl::Duration kStandstill = absl::Milliseconds(500);
// So long the links are read then at most, and so often they are looked at; they are quiet when
// nothing has come this often in a row.
inline constexpr absl::Duration kReadFirstMax = absl::Seconds(2);
inline constexpr absl::Duration kReadFirstPause = absl::Milliseconds(2);
inline constexpr int kQuietLooks = 3;
// A link is read no faster than a frame in this time while too much waits for the disk.
inline constexpr absl::Duration kClogPause = absl::Seconds(1);
// The wall clock may be off by this in what is stored and shown.
inline constexpr int64_t kWallSlackUs = 1000;

class EngineDriver {
 public:
  using Sender = absl::AnyInvocable<void(int32_t worker, internal::v1::ControlFrame frame)>;
  using WallClock = absl::AnyInvocable<WallMicros()>;
  // Beyond which position there is more, if there is.
  using Recalled = absl::StatusOr<std::optional<tasks::EndedPosition>>;
  using RecallCallback = absl::AnyInvocable<void(const Recalled& recalled)>;

  // All must outlive it. What becomes of tasks is counted in `series`. The store is started by the
  // constructor and stopped by Flush(). The engine's time is the wall's now, and the hub's clock
  // from now on.
  EngineDriver(Hub& hub, tasks::TaskEngine& engine, tasks::TaskStore& store,
               metrics::SharedSeries& series, WallClock wall = WallNow);

  // Before Run().
  void set_sender(Sender sender) { sender_ = std::move(sender); }
  // Before Run(). Whether a worker has said something that no event has told yet.
  void set_unread(absl::AnyInvocable<bool()> unread) { unread_ = std::move(unread); }
  // Before Run(). Called at the end of each round, in no order; must not park.
  void AddListener(absl::AnyInvocable<void()> listener) {
    listeners_.push_back(std::move(listener));
  }
  // The body of its fiber: until cancelled. **Parks.**
  absl::Status Run();

  // --- Events -----------------------------------------------------------------------------------

  // As TaskEngine::Spawn; UNAVAILABLE while draining.
  absl::StatusOr<tasks::Spawned> Spawn(std::string_view parent, v1::TaskSpec&& spec,
                                       const tasks::SpawnOrigin& origin = {});
  absl::Status Cancel(std::string_view name, std::string_view reason);
  absl::StatusOr<bool> Change(tasks::TaskId id, const tasks::TaskAction& action);
  absl::Status PauseQueue(std::string_view name, std::string_view reason);
  absl::Status ResumeQueue(std::string_view name);
  absl::Status ResizePool(std::string_view name, int64_t size);
  // As TaskEngine::SweepTenant.
  bool SweepTenant(size_t tenant, tasks::TenantSweep what, tasks::TaskId& after);
  void Grow() { engine_.Grow(); }
  // As TaskEngine::Reweigh.
  void Reweigh(size_t tenant) { engine_.Reweigh(tenant, Now()); }
  // As TaskEngine::Rebound.
  void Rebound(size_t tenant);
  // As TaskEngine::ForgetTenant; `queues` are the tenant's.
  void ForgetTenant(size_t tenant, const std::vector<size_t>& queues);
  absl::Status WorkerUp(internal::v1::Hello hello);
  void WorkerUnlinked(int32_t worker);
  void WorkerDown(int32_t worker);
  void WorkerStuck(int32_t worker, bool is_stuck);
  void SetCapacity(int32_t worker, int64_t capacity);
  // Everything in it but Hello, replies of ListFibers, and what is asked from inside.
  void FromWorker(int32_t worker, internal::v1::WorkerFrame& frame);

  // From now on spawns are refused and no attempt is started.
  void Drain(int workers);
  bool draining() const { return draining_; }
  bool handed_over() const { return handed_over_; }
  // A successor takes over: the volatile tasks go into the memory file `fd` (how many), and nothing
  // that happens from now on changes a task; clients get UNAVAILABLE, workers tell the successor.
  // Before Flush().
  absl::StatusOr<int64_t> HandOver(int fd);
  // Until the next round is carried out: whatever changed in the engine, a round follows.
  // **Parks.**
  absl::Status AwaitRound();
  // How many there were.
  uint64_t rounds() const { return rounds_; }
  // Until what waits for the disk has become less, or kClogPause is over. **Parks.**
  absl::Status AwaitDisk();
  // Until all that was decided is on disk, at most `max`. UNAVAILABLE where it is not by then.
  // **Parks.**
  absl::Status AwaitStored(absl::Duration max);
  // As TaskStore::Read, with `done` on the hub, in no fiber: it must not park.
  void Read(std::vector<tasks::TaskId> tasks, tasks::TaskStore::ReadCallback done);
  // What is in the store alone of `tasks`, or of what a query finds, is recalled (TaskEngine::
  // Recall); then `done`, on the hub, in no fiber: with what TaskEngine::ListTasks needs to know,
  // nullopt for given tasks. At once if there is nothing to recall.
  void Recall(std::vector<tasks::TaskId> tasks, RecallCallback done);
  void RecallEnded(tasks::EndedQuery query, RecallCallback done);
  // As TaskEngine's.
  uint64_t HoldRecalled() { return engine_.HoldRecalled(); }
  void ReleaseRecalled(uint64_t hold) {
    engine_.ReleaseRecalled(hold);
    Changed();
  }
  // After the drain: writes what is pending, and ends all waits with UNAVAILABLE. **Parks.**
  absl::Status Flush(OffloadPool& offload);
  // What a call gets while control drains.
  static absl::Status DrainingStatus();

  // --- Queries ----------------------------------------------------------------------------------

  const tasks::TaskEngine& engine() const { return engine_; }
  // For the engine's queries.
  tasks::EngineMicros Now() const;
  // Tasks whose spawn waits for the disk; tasks that somebody waits for.
  TaskWaits& acknowledgements() { return acknowledgements_; }
  TaskWaits& ends() { return ends_; }

 private:
  void Changed() { changed_.Set(); }
  // The engine's time; the wall clock's place on it is brought up to date.
  tasks::EngineMicros Advance();
  // After a standstill (this process was stopped, the machine slept) workers may long have said
  // what a deadline would now deny: until all of it is read. **Parks.**
  absl::Status ReadFirst();
  // Fires deadlines and starts what can start.
  void TickUnlessHandedOver();
  void CarryOut();

  // Constant after construction.
  Hub& hub_;
  tasks::TaskEngine& engine_;
  tasks::TaskStore& store_;
  WallClock wall_;
  const tasks::EngineMicros started_us_;
  const MonotonicNanos started_at_;
  Sender sender_;
  absl::AnyInvocable<bool()> unread_ = [] { return false; };
  std::vector<absl::AnyInvocable<void()>> listeners_;

  int64_t wall_offset_us_ = 0;
  Event changed_;
  // Set for a moment at the end of each round.
  Event round_;
  uint64_t rounds_ = 0;
  tasks::Effects effects_;
  bool draining_ = false;
  bool handed_over_ = false;
  TaskWaits acknowledgements_;
  TaskWaits ends_;
  TaskTally tally_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_ENGINE_DRIVER_H_
