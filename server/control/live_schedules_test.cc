#include "server/control/live_schedules.h"

#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/schedules_fixture.h"

namespace grove::control {
namespace {

using ::testing::HasSubstr;
using v1::Schedule;
using v1::ScheduleRun;

// The invented wall clock stands 20 s after a whole minute.
class LiveSchedulesTest : public SchedulesTest {
 protected:
  int64_t Counted(size_t outcome) {
    return static_cast<int64_t>(scoreboard_.series().schedule_cells.of[1][outcome].load());
  }
  const schedules::StoredSchedule& Kept(const std::string& id) {
    return schedule_store_.kept.at({"default", id});
  }
};

TEST_F(LiveSchedulesTest, ATaskIsSpawnedWhenItsTimeHasCome) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    Pass(absl::Seconds(39));
    EXPECT_EQ(Tasks().size(), 0u);
    Pass(absl::Seconds(2));
    const auto tasks = Tasks();
    ASSERT_EQ(tasks.size(), 1u);
    EXPECT_EQ(tasks[0].spec().labels().at("grove.schedule"), "s");
    EXPECT_EQ(tasks[0].spec().request_id(), "schedule:s:2023-11-14T22:14:00Z");
    EXPECT_EQ(Kept("s").runs.spawned_total(), 1);
    EXPECT_EQ(Kept("s").runs.running_tasks(0), tasks[0].name());
    EXPECT_EQ(Counted(0), 1);
    EndStarted(0);
    Pass(absl::Seconds(60));
    EXPECT_EQ(Tasks().size(), 2u);
    EXPECT_EQ(Kept("s").runs.recent_runs(1).task_state(), v1::TASK_STATE_SUCCEEDED);
  });
}

TEST_F(LiveSchedulesTest, ADurableRunIsStoredOnceItsTaskIsSafe) {
  DriveAll([&] {
    Schedule schedule = EveryMinute();
    schedule.mutable_spec()->set_durability(v1::DURABILITY_DURABLE);
    ASSERT_TRUE(Create("s", schedule).ok());
    const WallMicros before = Kept("s").seen_us;
    Pass(absl::Seconds(41));
    EXPECT_EQ(Tasks().size(), 1u);
    EXPECT_EQ(Kept("s").runs.spawned_total(), 0);
    EXPECT_EQ(Kept("s").seen_us, before);
    store_.Persist();
    Settle();
    EXPECT_EQ(Kept("s").runs.spawned_total(), 1);
    EXPECT_GT(Kept("s").seen_us, before);
    store_.Persist();
  });
}

TEST_F(LiveSchedulesTest, ARunThatNobodyHasNotedIsFoundAgain) {
  schedules::StoredSchedule before;
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    before = Kept("s");
    Pass(absl::Seconds(41));
    ASSERT_EQ(Tasks().size(), 1u);
  });
  // Control died between the two, and others have come due since: the task still holds them.
  schedule_store_.kept[{"default", "s"}] = before;
  wall_us_ += absl::ToInt64Microseconds(absl::Minutes(3));
  Begin();
  Drive([&] {
    RunLive([&] {
      Settle();
      EXPECT_EQ(Tasks().size(), 1u);
      EXPECT_EQ(Get("s")->spawned_total(), 1);
      EXPECT_EQ(Get("s")->running_tasks(0), Tasks()[0].name());
      EXPECT_EQ(Get("s")->skipped_total(), 1);
      EXPECT_EQ(Get("s")->missed_total(), 2);
    });
  });
}

TEST_F(LiveSchedulesTest, ATimeThatIsTakenAgainHasTheSameTask) {
  schedules::StoredSchedule before;
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    before = Kept("s");
    Pass(absl::Seconds(41));
    ASSERT_EQ(Tasks().size(), 1u);
  });
  schedule_store_.kept[{"default", "s"}] = before;
  Begin();
  Drive([&] {
    RunLive([&] {
      Settle();
      EXPECT_EQ(Tasks().size(), 1u);
      EXPECT_EQ(Get("s")->spawned_total(), 1);
      EXPECT_EQ(Get("s")->missed_total(), 0);
    });
  });
}

TEST_F(LiveSchedulesTest, AfterAStandstillOneMissedRunIsMadeUpFor) {
  DriveAll([&] { ASSERT_TRUE(Create("s", EveryMinute()).ok()); });
  wall_us_ += absl::ToInt64Microseconds(absl::Minutes(10));
  Begin();
  Drive([&] {
    RunLive([&] {
      Settle();
      EXPECT_EQ(Tasks().size(), 1u);
      EXPECT_EQ(Get("s")->missed_total(), 9);
      EXPECT_EQ(Counted(2), 9);
    });
  });
}

TEST_F(LiveSchedulesTest, ATaskThatEndedMeanwhileHoldsNoRun) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    Pass(absl::Seconds(41));
    ASSERT_EQ(Tasks().size(), 1u);
  });
  Begin();
  Drive([&] {
    EndStarted(0);
    RunLive([&] {
      Settle();
      EXPECT_EQ(Get("s")->running_tasks_size(), 0);
      EXPECT_EQ(Get("s")->recent_runs(0).task_state(), v1::TASK_STATE_SUCCEEDED);
    });
  });
}

TEST_F(LiveSchedulesTest, ABufferedRunFollowsTheEnd) {
  DriveAll([&] {
    Schedule schedule = EveryMinute();
    schedule.set_overlap_policy(Schedule::OVERLAP_POLICY_BUFFER_ONE);
    ASSERT_TRUE(Create("s", schedule).ok());
    Pass(absl::Seconds(41));
    Pass(absl::Seconds(60));
    EXPECT_EQ(Tasks().size(), 1u);
    EndStarted(0);
    Settle();
    EXPECT_EQ(Tasks().size(), 2u);
    EXPECT_EQ(Get("s")->recent_runs(0).outcome(), ScheduleRun::OUTCOME_SPAWNED);
  });
}

TEST_F(LiveSchedulesTest, WhatRunsIsCancelledForTheNext) {
  DriveAll([&] {
    Schedule schedule = EveryMinute();
    schedule.set_overlap_policy(Schedule::OVERLAP_POLICY_CANCEL_RUNNING);
    ASSERT_TRUE(Create("s", schedule).ok());
    Pass(absl::Seconds(41));
    Pass(absl::Seconds(60));
    Settle();
    const auto tasks = Tasks();
    ASSERT_EQ(tasks.size(), 2u);
    EXPECT_EQ(tasks[0].state(), v1::TASK_STATE_CANCELLED);
    EXPECT_THAT(tasks[0].error().message(), HasSubstr("its schedule's next run is due"));
    EXPECT_EQ(tasks[1].state(), v1::TASK_STATE_RUNNING);
    EXPECT_EQ(Get("s")->running_tasks_size(), 1);
  });
}

TEST_F(LiveSchedulesTest, WhatIsRefusedIsTriedAgainAndShown) {
  absl::Status gate = tasks::Refusal(absl::StatusCode::kUnavailable, "AUDIT_LOG_FULL", "no room");
  int refusals = 0;
  live_->set_gate([&] { return gate; });
  live_->set_auditor([&](const ScheduledSpawn& spawn) { refusals += !spawn.status.ok(); });
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    Pass(absl::Seconds(42));
    const Schedule refused = *Get("s");
    ASSERT_EQ(refused.recent_runs_size(), 1);
    EXPECT_EQ(refused.recent_runs(0).outcome(), ScheduleRun::OUTCOME_RETRYING);
    EXPECT_EQ(refused.recent_runs(0).error().message(), "no room");
    gate = absl::OkStatus();
    Pass(absl::Seconds(10));
    EXPECT_EQ(Tasks().size(), 1u);
    EXPECT_EQ(Get("s")->recent_runs(0).outcome(), ScheduleRun::OUTCOME_SPAWNED);
    EXPECT_EQ(refusals, 1);
  });
}

TEST_F(LiveSchedulesTest, AClockThatIsSetAheadIsSeenAtTheNextLook) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    Settle();
    wall_us_ += absl::ToInt64Microseconds(absl::Hours(1));
    live_->LookAtClock();
    Settle();
    EXPECT_EQ(Tasks().size(), 1u);
    EXPECT_EQ(Get("s")->missed_total(), 59);
  });
}

TEST_F(LiveSchedulesTest, AClockThatIsSetBackRunsNothingTwice) {
  DriveAll([&] {
    Schedule schedule = EveryMinute();
    schedule.set_overlap_policy(Schedule::OVERLAP_POLICY_ALLOW);
    ASSERT_TRUE(Create("s", schedule).ok());
    Pass(absl::Seconds(41));
    wall_us_ -= absl::ToInt64Microseconds(absl::Seconds(30));
    live_->LookAtClock();
    Pass(absl::Seconds(40));
    EXPECT_EQ(Tasks().size(), 1u);
    Pass(absl::Seconds(50));
    EXPECT_EQ(Tasks().size(), 2u);
  });
}

TEST_F(LiveSchedulesTest, ANoteThatDidNotReachTheDiskIsWrittenAgain) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    schedule_store_.fails = absl::ResourceExhaustedError("no room");
    Pass(absl::Seconds(41));
    EXPECT_EQ(Tasks().size(), 1u);
    EXPECT_EQ(Kept("s").runs.spawned_total(), 0);
    schedule_store_.fails = absl::OkStatus();
    Pass(kStoreAgain);
    Settle();
    EXPECT_EQ(Kept("s").runs.spawned_total(), 1);
  });
}

TEST_F(LiveSchedulesTest, NothingIsSpawnedWhileControlDrains) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    const WallMicros before = Kept("s").seen_us;
    driver_.Drain(1);
    Pass(absl::Minutes(5));
    EXPECT_EQ(Tasks().size(), 0u);
    // The next one makes up for it.
    EXPECT_EQ(Kept("s").seen_us, before);
  });
}

TEST_F(LiveSchedulesTest, AnEndDuringAChangeIsNotForgotten) {
  DriveAll([&] {
    ASSERT_TRUE(Create("s", EveryMinute()).ok());
    Pass(absl::Seconds(41));
    schedule_store_.waits = true;
    FiberHandle pause = *Spawn("pause", [&]() -> void {
      v1::PauseScheduleRequest request;
      request.set_name(NameOf("s"));
      EXPECT_TRUE(calls_->Pause(Operator(), request).ok());
    });
    Settle();
    // Neither is it done yet, nor does a time pass it by.
    EXPECT_EQ(Get("s")->state(), Schedule::STATE_ACTIVE);
    EndStarted(0);
    Pass(absl::Minutes(2));
    EXPECT_EQ(Tasks().size(), 1u);
    schedule_store_.Answer();
    pause.Join().IgnoreError();
    Settle();
    EXPECT_EQ(Get("s")->state(), Schedule::STATE_PAUSED);
    EXPECT_EQ(Kept("s").runs.state(), Schedule::STATE_PAUSED);
    EXPECT_EQ(Kept("s").runs.running_tasks_size(), 0);
    EXPECT_EQ(Tasks().size(), 1u);
  });
}

TEST_F(LiveSchedulesTest, AllOfATenantGoTogether) {
  DriveAll([&] {
    ASSERT_TRUE(Create("a", EveryMinute()).ok());
    ASSERT_TRUE(Create("b", EveryMinute()).ok());
    schedule_store_.fails = absl::UnavailableError("broken");
    EXPECT_FALSE(live_->RemoveAllOf("default").ok());
    EXPECT_TRUE(Get("a").ok());
    schedule_store_.fails = absl::OkStatus();
    EXPECT_TRUE(live_->RemoveAllOf("other").ok());
    EXPECT_TRUE(live_->RemoveAllOf("default").ok());
    EXPECT_EQ(ReasonOf(Get("a")), "SCHEDULE_NOT_FOUND");
    EXPECT_TRUE(schedule_store_.kept.empty());
    Pass(absl::Minutes(2));
    EXPECT_EQ(Tasks().size(), 0u);
  });
}

TEST_F(LiveSchedulesTest, ThoseOfATenantThatIsNotThereStayInTheStore) {
  DriveAll([&] { ASSERT_TRUE(Create("s", EveryMinute()).ok()); });
  schedules::StoredSchedule other = Kept("s");
  other.key = {"gone", "s"};
  schedule_store_.kept[other.key] = other;
  Begin();
  EXPECT_EQ(live_->book().size(), 1u);
  EXPECT_EQ(schedule_store_.kept.size(), 2u);
}

TEST_F(LiveSchedulesTest, AFailurePausesOneThatIsToldTo) {
  DriveAll([&] {
    Schedule schedule = EveryMinute();
    schedule.set_pause_on_failure(true);
    ASSERT_TRUE(Create("s", schedule).ok());
    Pass(absl::Seconds(41));
    internal::v1::WorkerFrame frame;
    frame.add_ended()->set_attempt(sent_[0].start(0).attempt());
    frame.mutable_ended(0)->set_outcome(internal::v1::AttemptEnded::OUTCOME_FAILED);
    frame.mutable_ended(0)->mutable_error()->set_code(3);
    driver_.FromWorker(0, frame);
    Settle();
    EXPECT_EQ(Get("s")->state(), Schedule::STATE_PAUSED);
    EXPECT_THAT(Get("s")->pause_reason(), HasSubstr("has failed"));
    EXPECT_EQ(Kept("s").runs.failed_total(), 1);
    Pass(absl::Minutes(2));
    EXPECT_EQ(Tasks().size(), 1u);
  });
}

}  // namespace
}  // namespace grove::control
