#include "server/tasks/sequences.h"

#include <utility>

#include "gmock/gmock.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/linked_engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Cause = v1::WaitExplanation;
using Kind = TaskAction::Kind;

constexpr const char* kDurable = "durability: DURABILITY_DURABLE ";
constexpr const char* kSequence = "sequence { key: 's' } ";
constexpr const char* kHalting = "sequence { key: 's' on_failure: ON_FAILURE_HALT } ";

class SequencesTest : public LinkedEngineTest {
 protected:
  absl::Status Change(const std::string& name, Kind kind) {
    const auto changed = engine_->Change(*engine_->Find(name), {.kind = kind}, now_, fx_);
    Tick();
    return changed.status();
  }
};

TEST_F(SequencesTest, RunsItsTasksOneByOneInTheirOrder) {
  const std::string first = Spawn(kSequence), second = Spawn(kSequence), third = Spawn(kSequence);
  const uint64_t one = Start(first);
  EXPECT_EQ(StateOf(second), v1::TASK_STATE_SCHEDULED);
  End(one);
  const uint64_t two = Start(second);
  End(two, Outcome::OUTCOME_FAILED);
  End(Start(third));
}

TEST_F(SequencesTest, KeysAndTenantsDoNotMixAndAKeyThatIsIdleIsForgotten) {
  Make("tenants { name: 'acme' }");
  Up(0);
  const std::string a = Spawn(kSequence), b = Spawn("sequence { key: 't' }");
  const std::string c = Spawn(kSequence, "tenants/acme");
  Tick();
  EXPECT_THAT(TakeStartedNames(), UnorderedElementsAre(a, b, c));
}

TEST_F(SequencesTest, TheOrderWinsOverPrioritiesAndDelays) {
  const std::string first = Spawn(StrCat(kSequence, "delay { seconds: 30 }"));
  const std::string second = Spawn(StrCat(kSequence, "priority: 9"));
  Tick();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(Get(first).wait().cause(), Cause::CAUSE_DELAYED);
  EXPECT_EQ(Get(second).wait().cause(), Cause::CAUSE_SEQUENCE);
  Tick(30);
  End(Start(first));
  End(Start(second));
}

TEST_F(SequencesTest, TheOthersWaitWhileOneIsTriedAgainOrSuspended) {
  const std::string first = Spawn(StrCat(kSequence, "retry_policy { max_attempts: 2 }"));
  const std::string second = Spawn(kSequence);
  End(Start(first), Outcome::OUTCOME_FAILED);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  Tick(2);
  Outcome suspended;
  suspended.set_attempt(Start(first));
  suspended.set_outcome(Outcome::OUTCOME_SUSPENDED);
  suspended.mutable_suspended()->set_for_us(5 * kSecond);
  engine_->AttemptEnded(0, std::move(suspended), now_, fx_);
  Tick();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(Get(second).wait().subject(), first);
  Tick(5);
  End(Start(first));
  End(Start(second));
}

TEST_F(SequencesTest, AFailureHaltsUntilItIsMended) {
  const std::string first = Spawn(kHalting), second = Spawn(kHalting), third = Spawn(kSequence);
  End(Start(first), Outcome::OUTCOME_FAILED);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(Get(second).wait().cause(), Cause::CAUSE_SEQUENCE);
  EXPECT_EQ(Get(second).wait().subject(), first);
  EXPECT_THAT(Get(second).wait().text(), HasSubstr("is halted by " + first));
  EXPECT_TRUE(Change(first, Kind::kRetry).ok());
  End(Start(first), Outcome::OUTCOME_FAILED);
  EXPECT_THAT(TakeStartedNames(), IsEmpty()) << "failed again";
  EXPECT_TRUE(Change(first, Kind::kRetry).ok());
  End(Start(first));
  End(Start(second), Outcome::OUTCOME_FAILED);
  EXPECT_TRUE(Change(second, Kind::kDelete).ok());
  End(Start(third));
}

TEST_F(SequencesTest, WhatHaltsIsKeptBeyondItsRetention) {
  Make("tasks { retention_ms: 1000 retained_max: 1 }");
  Up(0);
  const std::string first = Spawn(kHalting);
  End(Start(first), Outcome::OUTCOME_FAILED);
  const std::string other = Spawn();
  End(Start(other));
  Tick(5);
  Tick(5);
  EXPECT_FALSE(engine_->Find(other).ok());
  ASSERT_TRUE(engine_->Find(first).ok());
  const std::string second = Spawn(kSequence);
  Tick();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_TRUE(Change(first, Kind::kRetry).ok());
  End(Start(first));
  End(Start(second));
  Tick(5);
  Tick(5);
  EXPECT_FALSE(engine_->Find(first).ok());
}

TEST_F(SequencesTest, OneThatIsCancelledWhileItWaitsHaltsThoseBehindItInItsTurn) {
  const std::string first = Spawn(kSequence), second = Spawn(kHalting), third = Spawn(kSequence);
  const uint64_t attempt = Start(first);
  EXPECT_TRUE(Change(second, Kind::kCancel).ok());
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(Get(third).wait().subject(), second);
  EXPECT_TRUE(Change(second, Kind::kDelete).ok());
  End(Start(third));
}

TEST_F(SequencesTest, OneThatIsTriedAgainAfterItsEndGoesNext) {
  const std::string first = Spawn(kSequence), second = Spawn(kSequence), third = Spawn(kSequence);
  End(Start(first), Outcome::OUTCOME_FAILED);
  const uint64_t two = Start(second);
  EXPECT_TRUE(Change(first, Kind::kRetry).ok());
  EXPECT_THAT(TakeStartedNames(), IsEmpty()) << "one at a time";
  End(two);
  End(Start(first));
  End(Start(third));
}

TEST_F(SequencesTest, ACancelledAttemptKeepsTheTurnUntilItHasStopped) {
  const std::string first = Spawn(kSequence), second = Spawn(kSequence);
  const uint64_t attempt = Start(first);
  EXPECT_TRUE(Change(first, Kind::kCancel).ok());
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(Get(second).wait().subject(), first);
  End(attempt, Outcome::OUTCOME_CANCELLED);
  End(Start(second));
}

TEST_F(SequencesTest, AnEndPassesTheTurnOnceItIsOnDisk) {
  const std::string first = Spawn(StrCat(kDurable, kSequence));
  Persist();
  const std::string second = Spawn(kSequence);
  End(Start(first));
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  Persist();
  End(Start(second));
}

TEST_F(SequencesTest, KeysAreChecked) {
  const auto refused = [&](const std::string& text) { return RefusalReason(Refused(text)); };
  EXPECT_EQ(refused("sequence {}"), "SEQUENCE_KEY_INVALID");
  EXPECT_EQ(refused("sequence { key: 'a\\n' }"), "SEQUENCE_KEY_INVALID");
  EXPECT_EQ(refused("sequence { key: '" + std::string(129, 'a') + "' }"), "SEQUENCE_KEY_INVALID");
  EXPECT_EQ(refused("sequence { key: '" + std::string(128, 'a') + "' }"), "");
}

TEST_F(SequencesTest, AFilterFindsItsTasks) {
  const std::string first = Spawn(kSequence);
  Spawn("sequence { key: 't' }");
  Spawn();
  v1::ListTasksRequest request;
  request.set_parent("tenants/default");
  request.mutable_filter()->set_sequence_key("s");
  const auto listed = engine_->ListTasks(request, now_);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->tasks_size(), 1);
  EXPECT_EQ(listed->tasks(0).name(), first);
}

// --- Restarts

class SequencesRecoveryTest : public SequencesTest {
 protected:
  std::string SpawnDurable(const std::string& text) { return Spawn(kDurable + text); }
  void Restart(const std::string& config = "") {
    Make(config, 2);
    Recover(Disk());
  }
};

TEST_F(SequencesRecoveryTest, TheOneThatRunsKeepsTheTurn) {
  const std::string first = SpawnDurable(kSequence), second = SpawnDurable(kSequence);
  Persist();
  const uint64_t attempt = TakeOnlyStart();
  Persist();
  Restart();
  auto hello = Hello(0);
  hello.add_running(attempt);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Tick();
  EXPECT_THAT(TakeStarts(), IsEmpty());
  EXPECT_EQ(Get(second).wait().subject(), first);
  End(attempt);
  Persist();
  End(Start(second));
}

TEST_F(SequencesRecoveryTest, TheFirstOfThemGoesOn) {
  const std::string first = SpawnDurable(kSequence), second = SpawnDurable(kSequence);
  const std::string third = SpawnDurable(kSequence);
  Persist();
  End(TakeOnlyStart());
  Persist();
  Persist();
  Restart();
  Up(0, 10, 2);
  End(Start(second));
  Persist();
  End(Start(third));
  EXPECT_EQ(StateOf(first), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(SequencesRecoveryTest, WhatHaltsHaltsStill) {
  const std::string first = SpawnDurable(kHalting), second = SpawnDurable(kSequence);
  Persist();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  Persist();
  for (const StoredTask& stored : Disk()) {
    EXPECT_EQ(stored.progress.end_time_us, 0) << "the store would forget it";
  }
  Restart();
  Up(0, 10, 2);
  Tick(3600 * 24 * 365);
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(StateOf(first), v1::TASK_STATE_FAILED);
  EXPECT_NE(Get(first).end_time().seconds(), 0);
  EXPECT_TRUE(Change(first, Kind::kRetry).ok());
  End(Start(first));
  Persist();
  End(Start(second));
}

TEST_F(SequencesRecoveryTest, OneThatHaltsAloneIsFoundByThoseThatCome) {
  const std::string first = SpawnDurable(kHalting);
  Persist();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  Persist();
  Restart();
  Up(0, 10, 2);
  const std::string second = Spawn(kSequence);
  Tick();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  EXPECT_EQ(Get(second).wait().subject(), first);
}

}  // namespace
}  // namespace grove::tasks
