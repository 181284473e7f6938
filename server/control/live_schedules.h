// LiveSchedules: the schedules as the hub has them, and what spawns their runs.
//
// Its fiber sleeps until the earliest run is due on the wall clock; it spawns through the engine
// driver, watches the tasks' ends, and stores what came of each time. A run is stored once its
// task is safe: whoever dies in between leaves a task that the next control finds by its
// request_id. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_LIVE_SCHEDULES_H_
#define GROVE_SERVER_CONTROL_LIVE_SCHEDULES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/event.h"
#include "runtime/sync/mutex.h"
#include "server/control/engine_driver.h"
#include "server/control/schedule_tally.h"
#include "server/schedules/schedule_book.h"
#include "server/schedules/schedule_state.h"
#include "server/schedules/schedule_store.h"
#include "server/tasks/payload_ledger.h"
#include "server/tenancy/directory.h"
#include "server/wall_time.h"

namespace grove::control {

// The wall clock was set where it is off by this from the hub's.
inline constexpr absl::Duration kClockSlack = absl::Milliseconds(100);
// What could not be stored is tried again after this.
inline constexpr absl::Duration kStoreAgain = absl::Seconds(5);
// Times behind those that are over for which an earlier control may have spawned without a note.
inline constexpr int kUnnotedMax = 1000;

// What was spawned at a schedule's time, or refused.
struct ScheduledSpawn {
  std::string_view schedule;  // resource name
  std::string_view tenant;
  std::string_view function;
  std::string_view task;  // resource name; empty: refused
  absl::Status status;
};

class LiveSchedules {
 public:
  using Key = schedules::ScheduleKey;
  using State = schedules::ScheduleState;
  using WallClock = absl::AnyInvocable<WallMicros()>;

  // All outlive it.
  LiveSchedules(Hub& hub, const tenancy::Directory& directory, EngineDriver& driver,
                schedules::ScheduleStore& store, metrics::SharedSeries& series,
                WallClock wall = WallNow);

  // What holds the payloads that the tasks have as inputs, for as long as their schedules live;
  // must outlive it. Before Restore().
  void set_payloads(tasks::PayloadLedger* payloads) { payloads_ = payloads; }
  // What the store has, before Run(). Those of tenants that there are not stay there untouched.
  void Restore(std::vector<schedules::StoredSchedule> stored);
  // Whether a run may be spawned now; told of each that was, or was refused first.
  void set_gate(absl::AnyInvocable<absl::Status()> gate) { gate_ = std::move(gate); }
  void set_auditor(absl::AnyInvocable<void(const ScheduledSpawn&)> auditor) {
    auditor_ = std::move(auditor);
  }
  // The body of its fiber: until cancelled. **Parks.**
  absl::Status Run();
  // Wakes it if the wall clock has been set. To be called now and then.
  void LookAtClock();

  // --- What calls do -----------------------------------------------------------------------------

  // Whoever changes one locks this first, looks, decides and changes.
  Mutex& changes() { return changes_; }
  const schedules::ScheduleBook& book() const { return book_; }
  const tasks::PayloadLedger* payloads() const { return payloads_; }
  WallMicros Now() const { return wall_(); }
  // On disk, and then so, on return with OK. UNAVAILABLE (STORE_UNAVAILABLE, DRAINING),
  // RESOURCE_EXHAUSTED (STORE_FULL): nothing has changed. **Parks.**
  absl::Status Create(const Key& key, State state);
  absl::Status Change(const Key& key, absl::FunctionRef<void(State&)> change);
  absl::Status Remove(const std::vector<Key>& keys);
  // Of a tenant that takes no new ones; locks changes().
  absl::Status RemoveAllOf(std::string_view tenant);
  // A run now, under a request_id of its own; its task, which is safe. **Parks.**
  absl::StatusOr<std::string> RunNow(const Key& key, std::string_view request_id);
  // What is being written is, nothing more will be. **Parks.**
  absl::Status Stop(OffloadPool& offload);

 private:
  struct Totals;

  // --- Runs
  absl::Duration UntilNext() const;
  void LookAtDue();
  void LookAtAll();
  // Spawns what is due. Does not park.
  void Step(const Key& key);
  // False: it will be told later how it went, or never.
  bool SpawnDue(const Key& key, State& state, WallMicros due_us);
  void Safe(const Key& key, WallMicros due_us, const std::string& task);
  absl::StatusOr<tasks::Spawned> SpawnTask(const Key& key, const State& state,
                                           std::string_view request_id);
  void Watch(const Key& key, const std::string& task);
  void TaskEnded(const Key& key, const std::string& task);
  void AdoptUnnoted(const Key& key, State& state);
  // After whatever its state was told.
  void Follow(const Key& key, const State& state, const Totals& before);

  // --- The store
  void Note(const Key& key, const State& state);
  void NoteUnsaved();
  absl::Status Write(schedules::ScheduleChange change);

  // --- Payloads: of a spec that has one; empty names are nobody's
  void HoldPayload(const std::string& name);
  void ReleasePayload(const std::string& name);
  void UndoHold(const std::string& name);

  // Constant after construction.
  Hub& hub_;
  const tenancy::Directory& directory_;
  EngineDriver& driver_;
  schedules::ScheduleStore& store_;
  ScheduleTally tally_;
  mutable WallClock wall_;
  tasks::PayloadLedger* payloads_ = nullptr;
  absl::AnyInvocable<absl::Status()> gate_ = [] { return absl::OkStatus(); };
  absl::AnyInvocable<void(const ScheduledSpawn&)> auditor_ = [](const ScheduledSpawn&) {};

  schedules::ScheduleBook book_;
  Mutex changes_;
  Event changed_;
  // A change of theirs is on its way to the disk: nothing else of them is written meanwhile.
  absl::flat_hash_set<Key> held_;
  // Their last note did not reach the disk.
  absl::flat_hash_set<Key> unsaved_;
  MonotonicNanos save_again_at_ = 0;
  int64_t clock_offset_us_ = 0;
  bool clock_was_set_ = false;
  bool stopped_ = false;
};

// "schedule:nightly:2026-11-29T03:30:00Z".
std::string RequestIdOf(std::string_view schedule, WallMicros due_us);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_LIVE_SCHEDULES_H_
