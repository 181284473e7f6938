#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecoveryTest : public EngineTest {
 protected:
  std::string SpawnDurable(const std::string& text = "") {
    return Spawn("durability: DURABILITY_DURABLE " + text);
  }
  RecoveryReport Restart(const std::string& config = "") {
    Make(config, 2);
    return Recover(Disk());
  }
};

TEST_F(RecoveryTest, KeepsWaitingAndEndedTasks) {
  Up(0, 1);
  const std::string ended =
      SpawnDurable("request_id: 'r' input: '[1]' labels { key: 'k' value: 'v' }");
  Persist();
  End(TakeOnlyStart());
  Persist();
  Up(0, 0);
  const std::string queued = SpawnDurable(), later = SpawnDurable("delay { seconds: 60 }");
  Persist();
  EXPECT_EQ(Restart().restored, 3);
  EXPECT_EQ(StateOf(ended), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(Get(ended).output(), "out");
  EXPECT_EQ(Get(ended).spec().input(), "[1]");
  EXPECT_EQ(Get(ended).spec().labels().at("k"), "v");
  EXPECT_TRUE(engine_->IsSettled(*engine_->Find(ended)));
  EXPECT_EQ(StateOf(later), v1::TASK_STATE_SCHEDULED);
  Up(0);
  EXPECT_EQ(Spawn("request_id: 'r' input: '[1]'"), ended);
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].task(), queued);
  EXPECT_EQ(starts[0].attempt() >> 40, 2u);
}

TEST_F(RecoveryTest, LetsARunningTaskGoOnIfItsWorkerStillRunsIt) {
  Up(0);
  const std::string name = SpawnDurable();
  Persist();
  const uint64_t attempt = TakeOnlyStart();
  Persist();
  Restart();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(Pool().running(), 1);
  auto hello = Hello(0);
  hello.add_running(attempt);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Tick(20);
  EXPECT_THAT(TakeStarts(), IsEmpty());
  End(attempt);
  Persist();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(RecoveryTest, RequeuesARunningTaskOfAnotherIncarnation) {
  Up(0);
  const std::string name = SpawnDurable();
  Persist();
  Persist();
  TakeStarts();
  Restart();
  Up(0, 10, 2);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(name));
  EXPECT_EQ(Get(name).attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
}

TEST_F(RecoveryTest, RequeuesARunningTaskWhoseWorkerDoesNotReturn) {
  Up(0);
  const std::string name = SpawnDurable();
  Persist();
  Persist();
  Restart();
  EXPECT_LE(engine_->NextDeadline(), now_ + 10 * kSecond);
  Tick(9);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(Pool().running(), 0);
}

TEST_F(RecoveryTest, LeavesTasksOfUnknownQueuesInTheStore) {
  Make("tenants { name: 'acme' }");
  Up(0);
  Spawn("durability: DURABILITY_DURABLE", "tenants/acme");
  Persist();
  const RecoveryReport report = Restart();
  EXPECT_EQ(report.restored, 0);
  EXPECT_EQ(report.left_in_store.at("tenants/acme/queues/default"), 1);
  EXPECT_TRUE(fx_.writes.empty());
}

TEST_F(RecoveryTest, CountsRecordsThatDoNotParse) {
  StoredTask bad;
  bad.tenant = bad.queue = "default";
  bad.spec = "\xff";
  EXPECT_EQ(Recover({bad}).unreadable, 1);
}

TEST_F(RecoveryTest, DeletesFromTheStoreWhatIsNotRetained) {
  Make("tasks { retention_ms: 1000 }");
  Up(0);
  SpawnDurable();
  Persist();
  End(TakeOnlyStart());
  Persist();
  Tick(2);
  Persist();
  EXPECT_THAT(Disk(), IsEmpty());
}

TEST_F(RecoveryTest, WhatRanWithAnotherDaemonGoesBackAndIsNotCounted) {
  Make("tasks { interruptions_max: 1 }");
  Up(0, 10, uint64_t{7} << 32 | 1);
  const std::string name = SpawnDurable();
  Persist();
  TakeOnlyStart();
  Persist();
  daemon_number_ = 8;
  EXPECT_EQ(Restart("tasks { interruptions_max: 1 }").restored, 1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  ASSERT_EQ(Get(name).attempts_size(), 1);
  EXPECT_EQ(Get(name).attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
  EXPECT_EQ(Get(name).attempts(0).error().message(), "the daemon ended while it ran");
  Up(0, 10, uint64_t{8} << 32 | 1);
  EXPECT_EQ(TakeStartedNames(), std::vector<std::string>{name});
}

TEST_F(RecoveryTest, WhatRanWithThisDaemonGoesOn) {
  daemon_number_ = 7;
  Up(0, 10, uint64_t{7} << 32 | 1);
  const std::string name = SpawnDurable();
  Persist();
  TakeOnlyStart();
  Persist();
  Restart();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
}

TEST_F(RecoveryTest, KeepsNoPayloadInMemory) {
  Up(0);
  const std::string name =
      SpawnDurable("input: '\"" + std::string(1000, 'x') + "\"' request_id: 'r'");
  Persist();
  End(TakeOnlyStart(), Outcome::OUTCOME_SUCCEEDED, 0, std::string(2000, 'y'));
  Persist();
  Restart();
  const TaskId id = *engine_->Find(name);
  EXPECT_TRUE(engine_->NeedsStore(id, v1::TASK_VIEW_OUTPUT));
  EXPECT_EQ(Get(name).output_size_bytes(), 2000);
  EXPECT_EQ(Get(name).spec().input(), "");
  EXPECT_EQ(Get(name).input_size_bytes(), 1002);
  EXPECT_EQ(RefusalReason(Refused("request_id: 'r'")), "REQUEST_ID_REUSED");
}

// A start that was on its way to the disk when control died, and to the worker before that.
class LostStartTest : public RecoveryTest {
 protected:
  // A task whose attempt worker 1 runs, and of which the next engine knows no attempt.
  void SetUp() override {
    RecoveryTest::SetUp();
    Up(1);
    name_ = SpawnDurable();
    Persist();
    lost_ = TakeOnlyStart();
    workers_ = 2;
    Restart();
    EXPECT_EQ(Get(name_).attempts_size(), 0);
  }
  void WorkerUp(int worker, bool runs_it, int32_t number = 1) {
    internal::v1::Hello hello = Hello(worker);
    if (runs_it) {
      hello.add_running(lost_);
      internal::v1::RunningAttempt& running = *hello.add_attempts();
      running.set_attempt(lost_);
      running.set_task(name_);
      running.set_number(number);
      running.set_start_time_us(now_ - kSecond);
    }
    ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
    Tick();
  }

  std::string name_;
  uint64_t lost_ = 0;
};

TEST_F(LostStartTest, ItsNumberIsNotGivenAgain) {
  WorkerUp(0, /*runs_it=*/false);
  EXPECT_THAT(TakeStarts(), IsEmpty()) << "worker 1 may have something to say";
  WorkerUp(1, /*runs_it=*/true);
  EXPECT_THAT(TakeCancels(), ElementsAre(lost_));
  const auto starts = TakeStarts();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].number(), 2);
  const v1::Task task = Get(name_);
  ASSERT_EQ(task.attempts_size(), 2);
  EXPECT_EQ(task.attempts(0).number(), 1);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
  EXPECT_EQ(task.attempts(0).worker(), "workers/1");
  EXPECT_EQ(task.attempts(1).number(), 2);
}

TEST_F(LostStartTest, EachNumberBeforeItHasARecord) {
  WorkerUp(0, /*runs_it=*/false);
  WorkerUp(1, /*runs_it=*/true, /*number=*/3);
  ASSERT_EQ(TakeStarts().size(), 1u);
  Persist();
  workers_ = 0;
  Make("", 3);
  Recover(Disk());
  const v1::Task task = Get(name_);
  ASSERT_EQ(task.attempts_size(), 4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(task.attempts(i).number(), i + 1);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
  EXPECT_EQ(task.attempts(0).worker(), "") << "nobody knows whose it was";
  EXPECT_EQ(task.attempts(0).error().message(), "control died before anything of it was on disk");
  EXPECT_EQ(task.attempts(2).worker(), "workers/1");
}

TEST_F(LostStartTest, WhatIsLearntIsStored) {
  WorkerUp(0, /*runs_it=*/false);
  WorkerUp(1, /*runs_it=*/true);
  Persist();
  workers_ = 0;
  Make("", 3);
  Recover(Disk());
  EXPECT_EQ(Get(name_).attempts_size(), 2);
}

TEST_F(LostStartTest, WorkersThatDoNotComeAreNotWaitedForLong) {
  WorkerUp(0, /*runs_it=*/false);
  EXPECT_EQ(engine_->NextDeadline(), now_ + kSecond);
  Tick(1);
  EXPECT_EQ(TakeStarts().size(), 1u);
}

TEST_F(LostStartTest, AnEndedTaskLearnsNothing) {
  ASSERT_TRUE(engine_->Cancel(name_, "", now_, fx_).ok());
  WorkerUp(1, /*runs_it=*/true);
  EXPECT_EQ(Get(name_).attempts_size(), 0);
  EXPECT_THAT(TakeCancels(), ElementsAre(lost_));
}

}  // namespace
}  // namespace grove::tasks
