// ScheduleState: what becomes of a schedule's times.
//
// Told the time, it passes over what was missed, leaves out what may not overlap, holds what has
// to wait, and says which run is to be spawned; told how that went and which tasks have ended, it
// keeps the account of it. Pure: no clock, no I/O. A time that was taken once is not taken again,
// whichever way the clock is set.
#ifndef GROVE_SERVER_SCHEDULES_SCHEDULE_STATE_H_
#define GROVE_SERVER_SCHEDULES_SCHEDULE_STATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"
#include "grove/v1/schedule_service.pb.h"
#include "server/schedules/run_times.h"
#include "server/wall_time.h"

namespace grove::schedules {

inline constexpr int kRecentRunsMax = 20;
inline constexpr int kNextRunsShown = 5;
// Tasks of one schedule that have not ended: each is watched, and its name stored with each run.
inline constexpr int kRunningTasksMax = 100;
// Times of a row that were missed are counted so far: each costs some microseconds.
inline constexpr int64_t kMissedCountMax = 10'000;
inline constexpr int64_t kCatchupDefaultUs = int64_t{86400} * 1'000'000;
// A run is always some milliseconds late, and a restart takes seconds.
inline constexpr int64_t kCatchupMinUs = 10 * 1'000'000;
inline constexpr int64_t kCatchupMaxUs = kIntervalMaxUs;
// Between two tries to spawn what was refused: twice as long each time.
inline constexpr int64_t kRetryMinUs = 1'000'000;
inline constexpr int64_t kRetryMaxUs = 60'000'000;

class ScheduleState {
 public:
  // What Stored() gave, or a new one. `name` is its resource name; times up to `seen_us` are over.
  // Times that are none by now (a zone that this machine lacks) come never: times_status() says so.
  ScheduleState(std::string name, v1::Schedule schedule, WallMicros seen_us);

  // --- Events ------------------------------------------------------------------------------------

  // The time whose run is to be spawned now, if there is one; then Spawned() or Refused() has to
  // follow before there is another.
  std::optional<WallMicros> Advance(WallMicros now_us);
  // The tasks that are to be cancelled for it.
  std::vector<std::string> Spawned(WallMicros due_us, std::string_view task, WallMicros now_us);
  void Refused(WallMicros due_us, const google::rpc::Status& why, WallMicros now_us);
  void SpawnedByHand(std::string_view task, WallMicros now_us);
  // UNSPECIFIED: nobody knows any more.
  void Ended(std::string_view task, v1::TaskState state, WallMicros now_us);
  void Pause(std::string_view reason, WallMicros now_us);
  void Resume(WallMicros now_us);
  // A call has changed it: another etag.
  void Stamp(WallMicros now_us);
  // The settings and `times`, which are theirs, take the old ones' place.
  void Update(const v1::Schedule& settings, RunTimes times, WallMicros now_us);
  // The code of `program` says what its settings are. Where only Withdraw() has paused it, it goes
  // on.
  void Declare(std::string_view program, WallMicros now_us);
  // The code has it no more: it pauses. Requires: it was declared.
  void Withdraw(WallMicros now_us);

  // --- Queries -----------------------------------------------------------------------------------

  // When Advance() is next needed without an event; INT64_MAX: never.
  WallMicros NextWake() const;
  // As a client sees it.
  v1::Schedule View(WallMicros now_us) const;
  // What was set, and what has become of it: together all that a successor needs, beside the times
  // that are over.
  v1::Schedule Settings() const;
  v1::Schedule Runs() const;
  WallMicros stored_seen_us() const;

  const std::string& name() const { return name_; }
  const v1::Schedule& schedule() const { return schedule_; }
  const RunTimes& times() const { return times_; }
  const absl::Status& times_status() const { return times_status_; }
  bool is_paused() const { return schedule_.state() == v1::Schedule::STATE_PAUSED; }
  // A program's code has it now.
  bool is_declared() const {
    return schedule_.has_declaration() && !schedule_.declaration().has_withdraw_time();
  }
  // The time whose run is being spawned.
  std::optional<WallMicros> spawning_us() const { return spawning_us_; }
  // When the run of a time begins.
  WallMicros StartOf(WallMicros due_us) const { return times_.StartOf(due_us, seed_); }
  // Counts what has changed beside the settings.
  uint64_t changes() const { return changes_; }

 private:
  using Outcome = v1::ScheduleRun::Outcome;

  // --- What is due
  std::optional<WallMicros> Spawning(WallMicros due_us);
  // The next time that is not over, and begins by now; those before it have been missed.
  std::optional<WallMicros> TakeDue(WallMicros now_us);
  std::optional<WallMicros> TakeLatest(WallMicros first_us, WallMicros now_us);
  std::optional<WallMicros> TakeFirst(WallMicros first_us, WallMicros now_us);
  // False: it is left out, or waits.
  bool MayOverlap(WallMicros due_us, WallMicros now_us);
  std::optional<WallMicros> Retry(v1::ScheduleRun& run, WallMicros now_us);
  WallMicros GiveUpAt(const v1::ScheduleRun& run) const;
  void DropPending(WallMicros now_us);
  // Whether a pause is that of the withdrawal.
  void OwnPause(bool by_withdrawal);

  // --- The account
  v1::ScheduleRun& AddRun(WallMicros due_us, Outcome outcome, WallMicros now_us);
  void Miss(WallMicros first_us, int64_t times, WallMicros now_us);
  void Settle(v1::ScheduleRun& run, Outcome outcome, WallMicros now_us);
  v1::ScheduleRun* FindRun(Outcome outcome);
  v1::ScheduleRun* FindPending(WallMicros due_us);
  void AddRunning(std::string_view task);

  // The next ones after `after_us`, up to kNextRunsShown.
  const std::vector<WallMicros>& Upcoming(WallMicros after_us) const;
  int64_t catchup_us() const;
  bool has_runs_left() const {
    return !schedule_.has_remaining_runs() || schedule_.remaining_runs() > 0;
  }
  bool is_spawning() const { return spawning_us_.has_value(); }

  // Constant after construction.
  std::string name_;
  uint64_t seed_;

  // Its settings, and what Runs() gives.
  v1::Schedule schedule_;
  RunTimes times_;
  absl::Status times_status_;
  // Times up to here are over.
  WallMicros seen_us_;
  std::optional<WallMicros> spawning_us_;
  // It is not among the runs yet: a successor has to take its time again.
  bool spawning_is_new_ = false;
  // What was found last, and after which time: lists ask for it again and again.
  mutable std::vector<WallMicros> upcoming_;
  mutable WallMicros upcoming_after_us_ = 0;
  int tries_ = 0;
  uint64_t changes_ = 0;
};

}  // namespace grove::schedules

#endif  // GROVE_SERVER_SCHEDULES_SCHEDULE_STATE_H_
