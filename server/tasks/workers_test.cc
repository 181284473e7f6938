#include "gmock/gmock.h"
#include "server/config/limits.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(EngineTest, RequeuesADeadWorkersTasksAtTheFrontExactlyOnce) {
  Up(0, 2);
  const std::string a = Spawn(), b = Spawn(), c = Spawn();
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(a, b));
  engine_->WorkerDown(0, now_, fx_);
  engine_->WorkerDown(0, now_, fx_);
  Tick();
  EXPECT_EQ(StateOf(a), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(Get(a).attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
  EXPECT_EQ(Get(a).waiting_reason(), "no worker is connected");
  EXPECT_EQ(Pool().running(), 0);
  EXPECT_EQ(Queue().queued(), 3);
  Up(0, 10, 2);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(a, b, c));
}

TEST_F(EngineTest, DoesNotCountInterruptionsAgainstTheRetries) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  End(TakeOnlyStart(), Outcome::OUTCOME_INTERRUPTED);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(Get(name).attempts_size(), 2);
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_FAILED);
}

TEST_F(EngineTest, FailsATaskWhoseWorkerDiedTooOften) {
  Make("tasks { interruptions_max: 2 }");
  Up(0);
  const std::string name = Spawn();
  Tick();
  engine_->WorkerDown(0, now_, fx_);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  Up(0, 10, 2);
  engine_->WorkerDown(0, now_, fx_);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_FAILED);
  EXPECT_THAT(Get(name).error().message(), HasSubstr("its worker died 2 times while it ran"));
}

TEST_F(EngineTest, TakesANewIncarnationForTheDeathOfTheOldOne) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  const uint64_t old_attempt = TakeOnlyStart();
  Up(0, 10, 2);
  const uint64_t new_attempt = TakeOnlyStart();
  EXPECT_NE(new_attempt, old_attempt);
  EXPECT_EQ(Get(name).attempts_size(), 2);
  End(old_attempt);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  End(new_attempt);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(EngineTest, KeepsWhatTheSameIncarnationStillRuns) {
  Up(0);
  const std::string kept = Spawn(), lost = Spawn(), done = Spawn();
  Tick();
  const auto starts = TakeStarts();
  engine_->WorkerUnlinked(0, now_);
  auto hello = Hello(0);
  hello.add_running(starts[0].attempt());
  auto* ended = hello.add_ended();
  ended->set_attempt(starts[2].attempt());
  ended->set_outcome(Outcome::OUTCOME_SUCCEEDED);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  EXPECT_EQ(StateOf(kept), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(Get(kept).attempts_size(), 1);
  EXPECT_EQ(StateOf(lost), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(StateOf(done), v1::TASK_STATE_SUCCEEDED);
  EXPECT_THAT(TakeAcknowledged(), ElementsAre(starts[2].attempt()));
  EXPECT_THAT(TakeCancels(), IsEmpty());
}

TEST_F(EngineTest, CancelsWhatItDoesNotKnowAndCountsItsRoom) {
  auto hello = Hello(0, 1);
  hello.add_running(77);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  EXPECT_THAT(TakeCancels(), ElementsAre(77u));
  const std::string name = Spawn();
  Tick();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  End(77, Outcome::OUTCOME_CANCELLED);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
}

TEST_F(EngineTest, CancelsAgainWhatWasCancelledWithoutALink) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  engine_->WorkerUnlinked(0, now_);
  ASSERT_TRUE(engine_->Cancel(name, "", now_, fx_).ok());
  EXPECT_THAT(TakeCancels(), IsEmpty());
  auto hello = Hello(0);
  hello.add_running(attempt);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  EXPECT_THAT(TakeCancels(), ElementsAre(attempt));
  EXPECT_EQ(Pool().running(), 1);
}

TEST_F(EngineTest, GivesUpAnUnlinkedWorkersAttemptsAfterTheGrace) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  engine_->WorkerUnlinked(0, now_);
  Tick(9);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(engine_->NextDeadline(), now_ + kSecond);
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
}

TEST_F(EngineTest, ReleasesTheRoomOfAnAbandonedAttemptWhenTheWorkerDies) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  ASSERT_TRUE(engine_->Cancel(name, "", now_, fx_).ok());
  EXPECT_EQ(Pool().running(), 1);
  engine_->WorkerDown(0, now_, fx_);
  EXPECT_EQ(Pool().running(), 0);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_CANCELLED);
}

TEST_F(EngineTest, RefusesAWorkerOutOfRange) {
  EXPECT_FALSE(engine_->WorkerUp(Hello(-1), now_, fx_).ok());
  constexpr int kEnd = config::kWorkersMax + config::kGatewayWorkersMax;
  EXPECT_FALSE(engine_->WorkerUp(Hello(kEnd), now_, fx_).ok());
  engine_->WorkerDown(kEnd, now_, fx_);
  engine_->WorkerUnlinked(-1, now_);
  engine_->WorkerDraining(kEnd);
}

TEST_F(EngineTest, WhatAStuckWorkerHasNotStartedGoesToAnother) {
  Up(0);
  const std::string begun = Spawn(), waiting = Spawn();
  Tick();
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 2u);
  Begin(starts[0].attempt());
  engine_->WorkerStuck(0, true, now_, fx_);
  EXPECT_THAT(TakeCancels(), ElementsAre(starts[1].attempt()));
  EXPECT_EQ(StateOf(begun), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(StateOf(waiting), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(Get(waiting).attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
  Up(1);
  EXPECT_EQ(TakeStartedNames(), std::vector<std::string>{waiting});
  // The worker wakes up and finds the cancel behind the start.
  engine_->WorkerStuck(0, false, now_, fx_);
  End(starts[1].attempt(), Outcome::OUTCOME_CANCELLED);
  EXPECT_EQ(StateOf(waiting), v1::TASK_STATE_RUNNING);
}

TEST_F(EngineTest, AStuckWorkerIsGivenNothingUntilItTurnsAgain) {
  Up(0);
  engine_->WorkerStuck(0, true, now_, fx_);
  const std::string name = Spawn();
  Tick();
  EXPECT_THAT(TakeStarts(), IsEmpty());
  EXPECT_EQ(Get(name).waiting_reason(), "every connected worker is draining or stuck");
  engine_->WorkerStuck(0, false, now_, fx_);
  Tick();
  EXPECT_EQ(TakeStartedNames(), std::vector<std::string>{name});
}

TEST_F(EngineTest, WhatAStuckWorkerHasGivenUpKeepsNoPlaceInThePool) {
  Make("tenants { name: 'default' pools { name: 'default' size: 1 } }");
  for (const bool stuck_first : {true, false}) {
    Up(0, 10, stuck_first ? 1 : 2);
    const std::string name = Spawn();
    Tick();
    Begin(TakeOnlyStart());
    if (stuck_first) engine_->WorkerStuck(0, true, now_, fx_);
    ASSERT_TRUE(engine_->Cancel(name, "", now_, fx_).ok());
    if (!stuck_first) {
      EXPECT_EQ(Pool().running(), 1);
      engine_->WorkerStuck(0, true, now_, fx_);
    }
    EXPECT_EQ(Pool().running(), 0) << stuck_first;
  }
}

TEST_F(EngineTest, ANewProcessIsNotStuck) {
  Up(0);
  engine_->WorkerStuck(0, true, now_, fx_);
  engine_->WorkerDown(0, now_, fx_);
  Up(0, 10, 2);
  Spawn();
  Tick();
  EXPECT_EQ(TakeStarts().size(), 1u);
}

TEST_F(EngineTest, WhatIsNotStartedInTimeGoesToAnotherWorker) {
  Up(0);
  const std::string name = Spawn("timeout { seconds: 2 }");
  Tick();
  const uint64_t first = TakeOnlyStart();
  Up(1);
  Tick(4);
  EXPECT_THAT(TakeCancels(), ElementsAre(first));
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  ASSERT_EQ(Get(name).attempts_size(), 2);
  EXPECT_EQ(Get(name).attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
  EXPECT_EQ(Get(name).attempts(1).worker(), "workers/1");
}

}  // namespace
}  // namespace grove::tasks
