#include "server/tasks/engine_time.h"

#include "gtest/gtest.h"
#include "proto/well_known_times.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using proto::ToMicros;

// The engine's clock goes on while the wall's jumps.
class EngineTimeTest : public EngineTest, public ::testing::WithParamInterface<int64_t> {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    Up(0);
  }
  WallMicros Wall() const { return now_ + GetParam() * kSecond; }
  void Jump() { engine_->SetWallClock(Wall(), now_); }
};

TEST_P(EngineTimeTest, ADelayUnderWayStaysAsLongAsItIs) {
  const std::string name = Spawn("delay { seconds: 2 }");
  Jump();
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  EXPECT_EQ(ToMicros(Get(name).schedule_time()), Wall() + kSecond) << "shown on the new clock";
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
}

TEST_P(EngineTimeTest, ABackOffStaysAsLongAsItIs) {
  const std::string name = Spawn("retry_policy { max_attempts: 2 }");
  Tick();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  Jump();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
}

TEST_P(EngineTimeTest, ATimeOutStaysAsLongAsItIs) {
  const std::string name = Spawn("timeout { seconds: 5 }");
  Tick();
  Begin(TakeOnlyStart());
  Jump();
  Tick(6);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_TIMED_OUT);
}

TEST_P(EngineTimeTest, RetentionStaysAsLongAsItIs) {
  const std::string name = Spawn();
  Tick();
  End(TakeOnlyStart());
  Jump();
  Tick(3599), Tick();
  EXPECT_TRUE(engine_->Find(name).ok());
  Tick(1);
  EXPECT_FALSE(engine_->Find(name).ok());
}

TEST_P(EngineTimeTest, WhatHappensLaterIsOnTheNewClock) {
  const std::string before = Spawn();
  const WallMicros created = now_;
  Jump();
  const std::string after = Spawn();
  Tick();
  EXPECT_EQ(ToMicros(Get(before).create_time()), created);
  EXPECT_EQ(ToMicros(Get(after).create_time()), Wall());
  EXPECT_EQ(ToMicros(Get(before).attempts(0).start_time()), Wall());
}

TEST_P(EngineTimeTest, AScheduledTaskIsStoredOnTheWallClock) {
  Jump();
  Spawn("durability: DURABILITY_DURABLE delay { seconds: 60 }");
  Persist();
  const std::vector<StoredTask> disk = Disk();
  // The next control starts on the clock as it is then.
  now_ = Wall();
  Make("", 2);
  Recover(disk);
  EXPECT_EQ(engine_->NextDeadline(), now_ + 60 * kSecond);
}

INSTANTIATE_TEST_SUITE_P(Jumps, EngineTimeTest, ::testing::Values(-3600, 3600));

}  // namespace
}  // namespace grove::tasks
