#include "server/schedules/schedule_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"

namespace grove::schedules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using v1::Schedule;
using v1::ScheduleRun;

constexpr WallMicros kSecond = 1'000'000;
constexpr WallMicros kMinute = 60 * kSecond;
constexpr WallMicros kHour = 60 * kMinute;
constexpr WallMicros kStart = 1'795'946'400 * kSecond;
constexpr WallMicros kNever = std::numeric_limits<int64_t>::max();

// A schedule of every minute, on invented time.
class ScheduleStateTest : public ::testing::Test {
 protected:
  ScheduleStateTest() {
    proto::SetMicros(kMinute, settings_.mutable_interval()->mutable_every());
    settings_.mutable_spec()->set_function("echo");
  }

  void Begin() { state_.emplace("tenants/acme/schedules/s", settings_, kStart); }
  // What a successor of the process makes of what is stored.
  void BeginAgain() {
    Schedule stored = state_->Settings();
    stored.MergeFrom(state_->Runs());
    const WallMicros seen = state_->stored_seen_us();
    state_.emplace("tenants/acme/schedules/s", stored, seen);
  }

  // Moves the clock, and spawns what is due then; the minutes that were spawned.
  std::vector<int64_t> At(WallMicros after_start) {
    now_ = kStart + after_start;
    std::vector<int64_t> spawned;
    while (const auto due = state_->Advance(now_)) {
      const int64_t minute = (*due - kStart) / kMinute;
      cancelled_ = state_->Spawned(*due, Task(minute), now_);
      spawned.push_back(minute);
    }
    return spawned;
  }
  static std::string Task(int64_t minute) { return StrCat("task", minute); }
  void End(int64_t minute, v1::TaskState state = v1::TASK_STATE_SUCCEEDED) {
    state_->Ended(Task(minute), state, now_);
  }
  void Refuse() {
    const auto due = state_->Advance(now_);
    ASSERT_TRUE(due);
    google::rpc::Status why;
    why.set_code(8);
    why.set_message("full");
    state_->Refused(*due, why, now_);
  }
  // "spawned@1", the newest first; several times "missed@1x3".
  std::vector<std::string> Runs() const {
    std::vector<std::string> runs;
    for (const ScheduleRun& run : state_->schedule().recent_runs()) {
      const std::string outcome = ScheduleRun::Outcome_Name(run.outcome()).substr(8);
      const int64_t minute = (proto::ToMicros(run.due_time()) - kStart) / kMinute;
      runs.push_back(
          StrCat(outcome, "@", minute, run.times() > 1 ? StrCat("x", run.times()) : std::string()));
    }
    return runs;
  }

  Schedule settings_;
  std::optional<ScheduleState> state_;
  WallMicros now_ = kStart;
  std::vector<std::string> cancelled_;
};

// --- Times ---------------------------------------------------------------------------------------

TEST_F(ScheduleStateTest, EachTimeIsTakenOnceWhenItHasCome) {
  Begin();
  EXPECT_EQ(state_->NextWake(), kStart + kMinute);
  EXPECT_THAT(At(kMinute - 1), IsEmpty());
  EXPECT_THAT(At(kMinute), ElementsAre(1));
  End(1);
  EXPECT_THAT(At(kMinute), IsEmpty());
  EXPECT_EQ(state_->NextWake(), kStart + 2 * kMinute);
  EXPECT_THAT(At(2 * kMinute + 3 * kSecond), ElementsAre(2));
  EXPECT_EQ(state_->schedule().spawned_total(), 2);
}

TEST_F(ScheduleStateTest, AClockThatIsSetBackRunsNothingTwice) {
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_ALLOW);
  Begin();
  EXPECT_THAT(At(30 * kMinute), ElementsAre(30));
  EXPECT_THAT(At(5 * kMinute), IsEmpty());
  EXPECT_THAT(At(30 * kMinute), IsEmpty());
  EXPECT_EQ(state_->NextWake(), kStart + 31 * kMinute);
  EXPECT_THAT(At(31 * kMinute), ElementsAre(31));
}

TEST_F(ScheduleStateTest, AfterAJumpForwardTheLastMissedTimeIsMadeUpFor) {
  Begin();
  EXPECT_THAT(At(10 * kMinute + kSecond), ElementsAre(10));
  EXPECT_THAT(Runs(), ElementsAre("SPAWNED@10", "MISSED@1x9"));
  EXPECT_EQ(state_->schedule().missed_total(), 9);
}

TEST_F(ScheduleStateTest, WhatIsLateByMoreThanTheWindowIsLeftOut) {
  settings_.mutable_interval()->mutable_every()->set_seconds(3600);
  settings_.mutable_catchup_window()->set_seconds(600);
  Begin();
  EXPECT_THAT(At(3 * kHour + 10 * kMinute + 1), IsEmpty());
  EXPECT_THAT(Runs(), ElementsAre("MISSED@60x3"));
  EXPECT_THAT(At(4 * kHour + 10 * kMinute), ElementsAre(240));
  EXPECT_THAT(Runs(), ElementsAre("SPAWNED@240", "MISSED@60x3"));
}

TEST_F(ScheduleStateTest, AllMissedTimesWithinTheWindowAreMadeUpForIfAskedTo) {
  settings_.set_catchup_policy(Schedule::CATCHUP_POLICY_ALL);
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_ALLOW);
  settings_.mutable_catchup_window()->set_seconds(180);
  Begin();
  EXPECT_THAT(At(10 * kMinute), ElementsAre(7, 8, 9, 10));
  EXPECT_THAT(Runs(),
              ElementsAre("SPAWNED@10", "SPAWNED@9", "SPAWNED@8", "SPAWNED@7", "MISSED@1x6"));
}

TEST_F(ScheduleStateTest, MadeUpTimesMayNotOverlapEither) {
  settings_.set_catchup_policy(Schedule::CATCHUP_POLICY_ALL);
  Begin();
  EXPECT_THAT(At(3 * kMinute), ElementsAre(1));
  EXPECT_THAT(Runs(), ElementsAre("SKIPPED@3", "SKIPPED@2", "SPAWNED@1"));
}

TEST_F(ScheduleStateTest, ARunBeginsItsJitterLater) {
  settings_.mutable_jitter()->set_seconds(50);
  Begin();
  const WallMicros begins = state_->NextWake();
  EXPECT_GT(begins, kStart + kMinute);
  EXPECT_LT(begins, kStart + 2 * kMinute);
  EXPECT_THAT(At(begins - kStart - 1), IsEmpty());
  EXPECT_THAT(At(begins - kStart), ElementsAre(1));
  // The last time whose jitter is over, though a later one has come.
  const WallMicros later = state_->StartOf(kStart + 5 * kMinute) - 1;
  EXPECT_EQ(state_->StartOf(kStart + 5 * kMinute) > kStart + 5 * kMinute, true);
  End(1);
  EXPECT_THAT(At(later - kStart), ElementsAre(4));
}

TEST_F(ScheduleStateTest, RunsAreCountedDownToTheLast) {
  settings_.set_remaining_runs(2);
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_ALLOW);
  Begin();
  EXPECT_EQ(state_->View(now_).next_run_times_size(), 2);
  EXPECT_THAT(At(kMinute), ElementsAre(1));
  EXPECT_THAT(At(2 * kMinute), ElementsAre(2));
  EXPECT_THAT(At(3 * kMinute), IsEmpty());
  EXPECT_EQ(state_->NextWake(), kNever);
  EXPECT_EQ(state_->View(now_).state(), Schedule::STATE_ENDED);
  EXPECT_THAT(state_->View(now_).next_run_times(), IsEmpty());
}

TEST_F(ScheduleStateTest, AfterItsEndItHasEnded) {
  proto::SetMicros(kStart + 2 * kMinute, settings_.mutable_end_time());
  Begin();
  EXPECT_EQ(state_->View(now_).state(), Schedule::STATE_ACTIVE);
  EXPECT_THAT(At(5 * kMinute), ElementsAre(1));
  EXPECT_EQ(state_->View(now_).state(), Schedule::STATE_ENDED);
}

TEST_F(ScheduleStateTest, FiveNextTimesAreShown) {
  Begin();
  const Schedule view = state_->View(kStart + 90 * kSecond);
  ASSERT_EQ(view.next_run_times_size(), 5);
  EXPECT_EQ(proto::ToMicros(view.next_run_times(0)), kStart + 2 * kMinute);
  EXPECT_EQ(proto::ToMicros(view.next_run_times(4)), kStart + 6 * kMinute);
  EXPECT_EQ(view.name(), "tenants/acme/schedules/s");
}

TEST_F(ScheduleStateTest, TheNextTimesFollowAClockThatIsSetBackAndAChange) {
  Begin();
  const auto first = [&](WallMicros now) {
    return (proto::ToMicros(state_->View(now).next_run_times(0)) - kStart) / kMinute;
  };
  EXPECT_EQ(first(kStart + 10 * kMinute), 11);
  EXPECT_EQ(first(kStart + 12 * kMinute), 13);
  EXPECT_EQ(first(kStart + 3 * kMinute), 4);
  Schedule changed = settings_;
  changed.mutable_interval()->mutable_every()->set_seconds(3600);
  state_->Update(changed, *RunTimes::Create(changed), kStart);
  EXPECT_EQ(first(kStart + 3 * kMinute), 60);
}

// --- Overlap -------------------------------------------------------------------------------------

TEST_F(ScheduleStateTest, ATimeIsSkippedWhileATaskRuns) {
  Begin();
  EXPECT_THAT(At(kMinute), ElementsAre(1));
  EXPECT_THAT(At(2 * kMinute), IsEmpty());
  End(1);
  EXPECT_THAT(At(2 * kMinute + kSecond), IsEmpty());
  EXPECT_THAT(At(3 * kMinute), ElementsAre(3));
  EXPECT_THAT(Runs(), ElementsAre("SPAWNED@3", "SKIPPED@2", "SPAWNED@1"));
  EXPECT_EQ(state_->schedule().skipped_total(), 1);
}

TEST_F(ScheduleStateTest, WhereItIsAllowedTasksRunSideBySideUpToABound) {
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_ALLOW);
  Begin();
  for (int minute = 1; minute <= kRunningTasksMax; ++minute) {
    EXPECT_THAT(At(minute * kMinute), ElementsAre(minute));
  }
  EXPECT_THAT(At((kRunningTasksMax + 1) * kMinute), IsEmpty());
  EXPECT_EQ(state_->schedule().skipped_total(), 1);
  End(1);
  EXPECT_THAT(At((kRunningTasksMax + 2) * kMinute), ElementsAre(kRunningTasksMax + 2));
}

TEST_F(ScheduleStateTest, OneRunWaitsForTheOneBefore) {
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_BUFFER_ONE);
  Begin();
  EXPECT_THAT(At(kMinute), ElementsAre(1));
  EXPECT_THAT(At(2 * kMinute), IsEmpty());
  EXPECT_THAT(At(3 * kMinute), IsEmpty());
  EXPECT_THAT(Runs(), ElementsAre("SKIPPED@3", "BUFFERED@2", "SPAWNED@1"));
  BeginAgain();
  EXPECT_THAT(At(3 * kMinute + kSecond), IsEmpty());
  End(1);
  EXPECT_THAT(At(3 * kMinute + kSecond), ElementsAre(2));
  EXPECT_THAT(Runs(), ElementsAre("SKIPPED@3", "SPAWNED@2", "SPAWNED@1"));
}

TEST_F(ScheduleStateTest, WhatRunsIsCancelledOnceTheNextIsSafe) {
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_CANCEL_RUNNING);
  Begin();
  EXPECT_THAT(At(kMinute), ElementsAre(1));
  EXPECT_THAT(cancelled_, IsEmpty());
  EXPECT_THAT(At(2 * kMinute), ElementsAre(2));
  EXPECT_THAT(cancelled_, ElementsAre("task1"));
  End(1, v1::TASK_STATE_CANCELLED);
  EXPECT_EQ(state_->schedule().failed_total(), 0);
}

TEST_F(ScheduleStateTest, AnAttachedTaskIsNotCancelledForItself) {
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_CANCEL_RUNNING);
  Begin();
  state_->Spawned(*state_->Advance(kStart + kMinute), "same", kStart + kMinute);
  EXPECT_THAT(state_->Spawned(*state_->Advance(kStart + 2 * kMinute), "same", kStart + 2 * kMinute),
              IsEmpty());
  EXPECT_THAT(state_->schedule().running_tasks(), ElementsAre("same"));
}

// --- Refusals ------------------------------------------------------------------------------------

TEST_F(ScheduleStateTest, WhatIsRefusedIsTriedAgainWithGrowingPauses) {
  settings_.mutable_interval()->mutable_every()->set_seconds(3600);
  Begin();
  now_ = kStart + kHour;
  for (const int64_t pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    Refuse();
    EXPECT_EQ(state_->NextWake(), now_ + pause * kSecond);
    EXPECT_FALSE(state_->Advance(now_ + pause * kSecond - 1));
    now_ += pause * kSecond;
  }
  EXPECT_THAT(Runs(), ElementsAre("RETRYING@60"));
  EXPECT_EQ(state_->schedule().recent_runs(0).error().message(), "full");
  BeginAgain();
  EXPECT_THAT(At(now_ - kStart), ElementsAre(60));
  EXPECT_THAT(Runs(), ElementsAre("SPAWNED@60"));
  EXPECT_FALSE(state_->schedule().recent_runs(0).has_error());
  EXPECT_FALSE(state_->schedule().recent_runs(0).has_next_try_time());
}

TEST_F(ScheduleStateTest, WhatIsRefusedIsGivenUpWhenTheNextIsDue) {
  Begin();
  now_ = kStart + kMinute;
  Refuse();
  now_ = kStart + kMinute + 58 * kSecond;
  Refuse();
  EXPECT_EQ(state_->NextWake(), kStart + 2 * kMinute);
  EXPECT_THAT(At(2 * kMinute), ElementsAre(2));
  EXPECT_THAT(Runs(), ElementsAre("SPAWNED@2", "REFUSED@1"));
  EXPECT_EQ(state_->schedule().refused_total(), 1);
}

TEST_F(ScheduleStateTest, ALoneRunIsGivenUpAfterTheWindow) {
  proto::SetMicros(kStart + kMinute + 1, settings_.mutable_end_time());
  settings_.mutable_catchup_window()->set_seconds(30);
  Begin();
  now_ = kStart + kMinute;
  Refuse();
  EXPECT_EQ(state_->View(now_).state(), Schedule::STATE_ACTIVE);
  EXPECT_THAT(At(kMinute + 30 * kSecond), IsEmpty());
  EXPECT_THAT(Runs(), ElementsAre("REFUSED@1"));
  EXPECT_EQ(state_->View(now_).state(), Schedule::STATE_ENDED);
}

TEST_F(ScheduleStateTest, AClockThatIsSetBackDoesNotHoldARetryForLong) {
  Begin();
  now_ = kStart + kMinute;
  Refuse();
  EXPECT_THAT(At(-10 * kHour), ElementsAre(1));
}

// --- Ends ----------------------------------------------------------------------------------------

TEST_F(ScheduleStateTest, WhatATaskEndedAsIsShown) {
  Begin();
  At(kMinute);
  EXPECT_THAT(state_->schedule().running_tasks(), ElementsAre("task1"));
  End(1, v1::TASK_STATE_TIMED_OUT);
  EXPECT_THAT(state_->schedule().running_tasks(), IsEmpty());
  EXPECT_EQ(state_->schedule().recent_runs(0).task_state(), v1::TASK_STATE_TIMED_OUT);
  EXPECT_EQ(state_->schedule().failed_total(), 1);
  EXPECT_FALSE(state_->is_paused());
  // What it does not know of changes nothing.
  const uint64_t changes = state_->changes();
  End(1);
  EXPECT_EQ(state_->changes(), changes);
}

TEST_F(ScheduleStateTest, AFailurePausesItIfAskedTo) {
  settings_.set_pause_on_failure(true);
  Begin();
  At(kMinute);
  End(1, v1::TASK_STATE_CANCELLED);
  EXPECT_FALSE(state_->is_paused());
  At(2 * kMinute);
  End(2, v1::TASK_STATE_FAILED);
  EXPECT_TRUE(state_->is_paused());
  EXPECT_EQ(state_->schedule().pause_reason(), "task2 has failed");
  EXPECT_THAT(At(3 * kMinute), IsEmpty());
}

TEST_F(ScheduleStateTest, AFailureOfARunByHandPausesNothing) {
  settings_.set_pause_on_failure(true);
  Begin();
  state_->SpawnedByHand("mine", now_);
  state_->SpawnedByHand("mine", now_);
  EXPECT_EQ(state_->schedule().spawned_total(), 1);
  state_->Ended("mine", v1::TASK_STATE_FAILED, now_);
  EXPECT_FALSE(state_->is_paused());
  EXPECT_TRUE(state_->schedule().recent_runs(0).manual());
}

// --- Pauses and changes --------------------------------------------------------------------------

TEST_F(ScheduleStateTest, WhatWasDueDuringAPauseIsPassedOver) {
  Begin();
  state_->Pause("upkeep", now_);
  EXPECT_EQ(state_->NextWake(), kNever);
  EXPECT_THAT(At(5 * kMinute), IsEmpty());
  EXPECT_EQ(state_->View(now_).state(), Schedule::STATE_PAUSED);
  EXPECT_EQ(state_->View(now_).next_run_times_size(), 5);
  BeginAgain();
  EXPECT_EQ(state_->schedule().pause_reason(), "upkeep");
  state_->Resume(now_ + kSecond);
  EXPECT_THAT(At(6 * kMinute), ElementsAre(6));
  EXPECT_THAT(Runs(), ElementsAre("SPAWNED@6"));
  EXPECT_EQ(state_->schedule().pause_reason(), "");
}

TEST_F(ScheduleStateTest, APauseEndsWhatWaits) {
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_BUFFER_ONE);
  Begin();
  At(kMinute);
  At(2 * kMinute);
  state_->Pause("", now_);
  End(1);
  EXPECT_THAT(At(3 * kMinute), IsEmpty());
  EXPECT_THAT(Runs(), ElementsAre("SKIPPED@2", "SPAWNED@1"));
}

TEST_F(ScheduleStateTest, ASpawnThatIsRefusedDuringAPauseIsNotTriedAgain) {
  Begin();
  const auto due = state_->Advance(kStart + kMinute);
  state_->Pause("", kStart + kMinute);
  state_->Refused(*due, {}, kStart + kMinute);
  EXPECT_THAT(Runs(), ElementsAre("REFUSED@1"));
}

TEST_F(ScheduleStateTest, AChangeBeginsAnewAndKeepsTheAccount) {
  Begin();
  At(kMinute);
  state_->Stamp(now_);
  Schedule changed = settings_;
  changed.mutable_interval()->mutable_every()->set_seconds(1);
  changed.set_remaining_runs(7);
  state_->Update(changed, *RunTimes::Create(changed), kStart + 5 * kMinute);
  EXPECT_EQ(state_->NextWake(), kStart + 5 * kMinute + kSecond);
  EXPECT_EQ(state_->schedule().remaining_runs(), 7);
  EXPECT_EQ(state_->schedule().etag(), "1");
  EXPECT_THAT(Runs(), ElementsAre("SPAWNED@1"));
  EXPECT_THAT(state_->schedule().running_tasks(), ElementsAre("task1"));
}

// --- What a successor needs ----------------------------------------------------------------------

TEST_F(ScheduleStateTest, WhatTheCodeHasNoMorePausesAndGoesOnWhenItIsBack) {
  Begin();
  state_->Declare("shop", kStart);
  EXPECT_TRUE(state_->is_declared());
  state_->Withdraw(kStart + kSecond);
  EXPECT_FALSE(state_->is_declared());
  EXPECT_EQ(state_->schedule().pause_reason(), "the code of shop has it no more");
  EXPECT_THAT(At(3 * kMinute), IsEmpty());
  BeginAgain();
  EXPECT_FALSE(state_->is_declared());
  state_->Declare("shop", now_);
  EXPECT_TRUE(state_->is_declared());
  EXPECT_FALSE(state_->is_paused());
  // What was due meanwhile is over.
  EXPECT_THAT(At(4 * kMinute), ElementsAre(4));
}

TEST_F(ScheduleStateTest, APauseOfSomebodysOutlastsWithdrawalAndReturn) {
  Begin();
  state_->Declare("shop", kStart);
  state_->Pause("upkeep", kStart);
  state_->Withdraw(kStart + kSecond);
  state_->Declare("shop", kStart + 2 * kSecond);
  EXPECT_EQ(state_->schedule().pause_reason(), "upkeep");
  state_->Resume(kStart + 3 * kSecond);
  state_->Withdraw(kStart + 4 * kSecond);
  // Confirmed by hand.
  state_->Pause("not again", kStart + 5 * kSecond);
  BeginAgain();
  state_->Declare("shop", kStart + 6 * kSecond);
  EXPECT_EQ(state_->schedule().pause_reason(), "not again");
}

TEST_F(ScheduleStateTest, WhatWasResumedAlthoughTheCodeLacksItRuns) {
  Begin();
  state_->Declare("shop", kStart);
  state_->Withdraw(kStart);
  state_->Resume(kStart);
  EXPECT_THAT(At(kMinute), ElementsAre(1));
  EXPECT_FALSE(state_->is_declared());
}

TEST_F(ScheduleStateTest, NoMoreIsStoredThanIsSafe) {
  Begin();
  const auto due = state_->Advance(kStart + kMinute);
  ASSERT_TRUE(due);
  EXPECT_EQ(state_->spawning_us(), kStart + kMinute);
  EXPECT_FALSE(state_->Advance(kStart + kMinute));
  // Killed before the task was safe: the same time again.
  BeginAgain();
  EXPECT_THAT(At(kMinute + kSecond), ElementsAre(1));
  BeginAgain();
  EXPECT_THAT(At(kMinute + kSecond), IsEmpty());
  EXPECT_THAT(state_->schedule().running_tasks(), ElementsAre("task1"));
}

TEST_F(ScheduleStateTest, TheAccountIsBoundedAndKeepsWhatWaits) {
  settings_.set_overlap_policy(Schedule::OVERLAP_POLICY_BUFFER_ONE);
  Begin();
  for (int minute = 1; minute <= 3 * kRecentRunsMax; ++minute) At(minute * kMinute);
  EXPECT_EQ(state_->schedule().recent_runs_size(), kRecentRunsMax);
  EXPECT_EQ(Runs().back(), "BUFFERED@2");
}

TEST_F(ScheduleStateTest, TimesThatAreNoneAnyMoreNeverCome) {
  settings_.add_cron_expressions("* * * * *");
  settings_.set_time_zone("Mars/Base");
  Begin();
  EXPECT_FALSE(state_->times_status().ok());
  EXPECT_EQ(state_->NextWake(), kNever);
}

}  // namespace
}  // namespace grove::schedules
