// Attempts that give their places back, and whose tasks go on later in others.
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/engine_fixture.h"
#include "server/tasks/task.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Cause = v1::WaitExplanation;
using Kind = TaskAction::Kind;

constexpr const char* kDurable = "durability: DURABILITY_DURABLE ";

class SuspensionTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    Up(0, 1);
  }

  // Of the only task that starts now.
  internal::v1::StartAttempt Start(const std::string& name) {
    Tick();
    const auto starts = TakeStarts();
    EXPECT_EQ(starts.size(), 1u);
    if (starts.size() != 1) return {};
    EXPECT_EQ(starts[0].task(), name);
    return starts[0];
  }
  void Suspend(uint64_t attempt, const std::vector<std::string>& names, int64_t seconds = -1) {
    Outcome ended;
    ended.set_attempt(attempt);
    ended.set_outcome(Outcome::OUTCOME_SUSPENDED);
    ended.set_checkpoint("half");
    if (seconds >= 0) ended.mutable_suspended()->set_for_us(seconds * kSecond);
    for (const std::string& name : names) ended.mutable_suspended()->add_tasks(name);
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
    Tick();
  }
  void Change(const std::string& name, Kind kind) {
    const auto changed = engine_->Change(*engine_->Find(name), {.kind = kind}, now_, fx_);
    EXPECT_TRUE(changed.ok()) << changed.status();
    Tick();
  }
  void Restart() {
    Make("", 2);
    Recover(Disk());
    Up(0, 1, 2);
  }
};

TEST_F(SuspensionTest, GivesItsPlaceToOthersAndGoesOnWithItsCheckpoint) {
  const std::string name = Spawn(), other = Spawn();
  Suspend(Start(name).attempt(), {}, 10);
  v1::Task task = Get(name);
  EXPECT_EQ(task.state(), v1::TASK_STATE_SCHEDULED);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::STATE_SUSPENDED);
  EXPECT_FALSE(task.attempts(0).has_error());
  EXPECT_EQ(task.wait().cause(), Cause::CAUSE_SUSPENDED);
  EXPECT_TRUE(task.wait().has_expected_start_time());
  End(Start(other).attempt());
  Tick(9);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(engine_->NextDeadline(), now_ + kSecond);
  Tick(1);
  const auto start = Start(name);
  EXPECT_EQ(start.number(), 2);
  EXPECT_EQ(start.checkpoint(), "half");
  End(start.attempt());
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(SuspensionTest, IsNoFailureHoweverOften) {
  const std::string name = Spawn();
  for (int i = 0; i < 300; ++i) {
    Suspend(Start(name).attempt(), {}, 1);
    ASSERT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
    Tick(1);
  }
  EXPECT_LE(Get(name).attempts_size(), static_cast<int>(kAttemptsKeptMax));
  End(Start(name).attempt());
}

TEST_F(SuspensionTest, GoesOnWhenItsTasksHaveEnded) {
  const std::string name = Spawn();
  const auto start = Start(name);
  const std::string one = Spawn(), two = Spawn();
  Suspend(start.attempt(), {one, two});
  EXPECT_THAT(Get(name).suspended_for(), ElementsAre(one, two));
  const v1::WaitExplanation why = Get(name).wait();
  EXPECT_EQ(why.cause(), Cause::CAUSE_SUSPENDED);
  EXPECT_EQ(why.subject(), one);
  EXPECT_THAT(why.text(), HasSubstr("2 tasks, of which 0 have ended"));
  EXPECT_FALSE(Get(name).has_schedule_time());
  End(Start(one).attempt(), Outcome::OUTCOME_FAILED);
  Tick(100);
  End(Start(two).attempt());
  EXPECT_TRUE(Get(name).suspended_for().empty());
  End(Start(name).attempt());
}

TEST_F(SuspensionTest, GoesOnWhenItsBoundIsOver) {
  const std::string name = Spawn();
  const auto start = Start(name);
  const std::string child = Spawn("delay { seconds: 60 }");
  Suspend(start.attempt(), {child}, 10);
  EXPECT_THAT(Get(name).wait().text(), HasSubstr("at most until"));
  Tick(10);
  const auto again = Start(name);
  Suspend(again.attempt(), {child}, 1000);
  Tick(50);
  End(Start(child).attempt());
  End(Start(name).attempt());
}

TEST_F(SuspensionTest, GoesOnAtOnceIfAllHaveEnded) {
  const std::string child = Spawn();
  End(Start(child).attempt());
  const std::string name = Spawn();
  Suspend(Start(name).attempt(), {child}, 60);
  End(Start(name).attempt());
  const std::string nothing = Spawn();
  Suspend(Start(nothing).attempt(), {});
  End(Start(nothing).attempt());
}

TEST_F(SuspensionTest, HasFailedIfATaskIsNotThere) {
  Make("tenants { name: 'acme' }");
  Up(0, 1);
  const std::string other = Spawn("delay { seconds: 60 }", "tenants/acme");
  const std::string name = Spawn();
  Suspend(Start(name).attempt(), {other});
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_FAILED);
  google::rpc::ErrorInfo info;
  ASSERT_EQ(Get(name).error().details_size(), 1);
  Get(name).error().details(0).UnpackTo(&info);
  EXPECT_EQ(info.reason(), "AFTER_NOT_FOUND");
}

TEST_F(SuspensionTest, MayBeCancelledOrToldToGoOn) {
  const std::string child = Spawn("delay { seconds: 60 }");
  const std::string name = Spawn(), second = Spawn();
  Suspend(Start(name).attempt(), {child});
  Suspend(Start(second).attempt(), {child});
  Change(name, Kind::kCancel);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_CANCELLED);
  EXPECT_TRUE(Get(name).suspended_for().empty());
  Change(second, Kind::kRetry);
  End(Start(second).attempt());
}

TEST_F(SuspensionTest, LastsOverRestarts) {
  const std::string name = Spawn(kDurable), sleeps = Spawn(kDurable);
  Persist();
  const auto start = Start(name);
  const std::string child = Spawn(kDurable);
  Persist();
  Suspend(start.attempt(), {child});
  const auto second = Start(sleeps);
  Suspend(second.attempt(), {}, 100);
  Persist();
  Restart();
  EXPECT_EQ(Get(name).wait().cause(), Cause::CAUSE_SUSPENDED);
  EXPECT_THAT(Get(name).suspended_for(), ElementsAre(child));
  EXPECT_EQ(Get(sleeps).wait().cause(), Cause::CAUSE_SUSPENDED);
  End(Start(child).attempt());
  Persist();
  const auto again = Start(name);
  EXPECT_EQ(again.number(), 2);
  EXPECT_EQ(again.checkpoint(), "half");
  End(again.attempt());
  Persist();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  Tick(100);
  End(Start(sleeps).attempt());
}

TEST_F(SuspensionTest, WhatEndedMeanwhileIsNotWaitedFor) {
  const std::string name = Spawn(kDurable);
  Persist();
  const auto start = Start(name);
  const std::string child = Spawn("delay { seconds: 60 }");
  Suspend(start.attempt(), {child});
  Persist();
  Restart();
  EXPECT_EQ(Start(name).number(), 2) << "the volatile child went with its control";
}

}  // namespace
}  // namespace grove::tasks
