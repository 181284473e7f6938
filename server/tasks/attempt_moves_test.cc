// Retries, time-outs and what one attempt leaves to the next.
#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AttemptMovesTest : public EngineTest {
 protected:
  Outcome Failed(uint64_t attempt, absl::StatusCode code = absl::StatusCode::kInternal) {
    Outcome ended;
    ended.set_attempt(attempt);
    ended.set_outcome(Outcome::OUTCOME_FAILED);
    ended.mutable_error()->set_code(static_cast<int>(code));
    return ended;
  }
  void Take(Outcome ended) {
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
    Tick();
  }
  void Heartbeat(uint64_t attempt, const std::string& checkpoint = "") {
    internal::v1::AttemptHeartbeat heartbeat;
    heartbeat.set_attempt(attempt);
    if (!checkpoint.empty()) heartbeat.set_checkpoint(checkpoint);
    engine_->AttemptHeartbeat(0, std::move(heartbeat), now_, fx_);
    Tick();
  }
  std::string ReasonOf(const std::string& name) { return Reason(Get(name).error()); }
  static std::string Reason(const google::rpc::Status& error) {
    google::rpc::ErrorInfo info;
    for (const auto& detail : error.details()) detail.UnpackTo(&info);
    return info.reason();
  }
  // Ticks by microseconds.
  void Pass(int64_t us) {
    now_ += us;
    Tick();
  }
};

TEST_F(AttemptMovesTest, BackOffsScatterBelowTheirLength) {
  Up(0, 100);
  std::vector<std::string> names;
  names.reserve(50);
  for (int i = 0; i < 50; ++i) {
    names.push_back(
        Spawn("retry_policy { max_attempts: 2 initial_backoff { seconds: 10 } "
              "jitter: 0.5 }"));
  }
  Tick();
  const EngineMicros failed_us = now_;
  for (const auto& start : TakeStarts()) Take(Failed(start.attempt()));
  std::set<int64_t> waits;
  for (const std::string& name : names) {
    const v1::Task task = Get(name);
    const int64_t at_us =
        task.schedule_time().seconds() * kSecond + task.schedule_time().nanos() / 1000;
    waits.insert(at_us - failed_us);
  }
  EXPECT_THAT(waits, SizeIs(50));
  EXPECT_GE(*waits.begin(), 5 * kSecond);
  EXPECT_LE(*waits.rbegin(), 10 * kSecond);
  EXPECT_LT(*waits.begin(), 6 * kSecond);
  EXPECT_GT(*waits.rbegin(), 9 * kSecond);
}

TEST_F(AttemptMovesTest, ATaskMayNameFurtherCodesThatAreFinal) {
  Up(0);
  const std::string text = "retry_policy { max_attempts: 3 not_retried_codes: 5 }";
  const std::string final = Spawn(text), other = Spawn(text);
  Tick();
  const auto starts = TakeStarts();
  Take(Failed(starts[0].attempt(), absl::StatusCode::kNotFound));
  Take(Failed(starts[1].attempt(), absl::StatusCode::kInternal));
  EXPECT_EQ(StateOf(final), v1::TASK_STATE_FAILED);
  EXPECT_EQ(StateOf(other), v1::TASK_STATE_SCHEDULED);
}

TEST_F(AttemptMovesTest, TheFunctionSaysWhenItIsTriedAgain) {
  Up(0);
  const std::string name = Spawn("retry_policy { max_attempts: 2 not_retried_codes: 13 }");
  Tick();
  Outcome ended = Failed(TakeOnlyStart());
  ended.set_retry_after_us(90 * kSecond);
  Take(std::move(ended));
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  Pass(90 * kSecond - 1);
  EXPECT_THAT(TakeStarts(), IsEmpty());
  Pass(1);
  ended = Failed(TakeOnlyStart());
  ended.set_retry_after_us(0);
  Take(std::move(ended));
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_FAILED) << "it has no attempt left";
}

TEST_F(AttemptMovesTest, TheFunctionSaysThatItIsNotTriedAgain) {
  Up(0);
  const std::string name = Spawn("retry_policy { max_attempts: 9 }");
  Tick();
  Outcome ended = Failed(TakeOnlyStart());
  ended.set_never_again(true);
  Take(std::move(ended));
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_FAILED);
}

TEST_F(AttemptMovesTest, ATaskThatWaitsTooLongInItsQueueTimesOut) {
  Up(0, 0);
  const std::string name = Spawn(
      "schedule_to_start_timeout { seconds: 5 } delay { seconds: 10 } "
      "retry_policy { max_attempts: 9 }");
  Tick(10);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  Pass(5 * kSecond - 1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  Pass(1);
  const v1::Task task = Get(name);
  EXPECT_EQ(task.state(), v1::TASK_STATE_TIMED_OUT);
  EXPECT_EQ(task.error().code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(ReasonOf(name), "SCHEDULE_TO_START_TIMEOUT");
  EXPECT_THAT(task.error().message(), HasSubstr("every worker is full"));
  EXPECT_TRUE(HasEnded(name));
  EXPECT_EQ(Queue().queued(), 0);
}

TEST_F(AttemptMovesTest, OneThatStartedInTimeIsNotTimedOutByItsWait) {
  Up(0);
  const std::string name = Spawn("schedule_to_start_timeout { seconds: 5 }");
  Tick();
  Begin(TakeOnlyStart());
  Tick(60);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
}

TEST_F(AttemptMovesTest, EachWaitCountsAnewAndTheBackOffDoesNot) {
  Up(0);
  const std::string name = Spawn(
      "schedule_to_start_timeout { seconds: 5 } retry_policy { "
      "max_attempts: 2 initial_backoff { seconds: 60 } jitter: 0 }");
  Tick();
  Take(Failed(TakeOnlyStart()));
  engine_->WorkerDraining(0);
  Tick(60);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  Tick(5);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_TIMED_OUT);
  EXPECT_EQ(Get(name).attempts_size(), 1);
}

TEST_F(AttemptMovesTest, WhatItHasWaitedBeforeARestartCounts) {
  Up(0, 0);
  const std::string name =
      Spawn("schedule_to_start_timeout { seconds: 5 } durability: DURABILITY_DURABLE");
  Persist();
  now_ += 3 * kSecond;
  Make("", 2);
  Recover(Disk());
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  Tick(1);
  Persist();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_TIMED_OUT);
}

TEST_F(AttemptMovesTest, ASilentAttemptIsEndedAndTriedAgain) {
  Up(0);
  const std::string name =
      Spawn("heartbeat_timeout { seconds: 5 } retry_policy { max_attempts: 2 jitter: 0 }");
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  Begin(attempt);
  Pass(5 * kSecond - 1);
  Heartbeat(attempt);
  Pass(5 * kSecond - 1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  internal::v1::AttemptProgress progress;
  progress.set_attempt(attempt);
  engine_->AttemptProgress(0, progress, now_);
  Pass(5 * kSecond - 1);
  EXPECT_THAT(TakeCancels(), IsEmpty());
  Pass(1);
  EXPECT_THAT(TakeCancels(), ElementsAre(attempt));
  const v1::Task task = Get(name);
  EXPECT_EQ(task.state(), v1::TASK_STATE_SCHEDULED);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::STATE_TIMED_OUT);
  EXPECT_EQ(Reason(task.attempts(0).error()), "HEARTBEAT_TIMEOUT");
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
}

TEST_F(AttemptMovesTest, OneThatHasNotBegunIsNotSilent) {
  Up(0);
  const std::string name = Spawn("heartbeat_timeout { seconds: 1 } timeout { seconds: 60 }");
  Tick();
  Tick(5);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_THAT(TakeCancels(), IsEmpty());
}

TEST_F(AttemptMovesTest, WhoCannotBeHeardIsNotSilent) {
  Up(0);
  const std::string name = Spawn("heartbeat_timeout { seconds: 2 }");
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  Begin(attempt);
  engine_->WorkerUnlinked(0, now_);
  Tick(4);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  internal::v1::Hello hello = Hello(0);
  hello.add_running(attempt);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Pass(2 * kSecond - 1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  Pass(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_TIMED_OUT);
}

TEST_F(AttemptMovesTest, TheTimeOutHoldsBesideTheHeartbeat) {
  Up(0);
  const std::string name = Spawn("heartbeat_timeout { seconds: 60 } timeout { seconds: 1 }");
  Tick();
  Begin(TakeOnlyStart());
  Tick(3);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_TIMED_OUT);
  EXPECT_EQ(ReasonOf(name), "ATTEMPT_TIMED_OUT");
}

TEST_F(AttemptMovesTest, TheNextAttemptReadsWhatTheLastOneLeft) {
  Up(0);
  const std::string name = Spawn("retry_policy { max_attempts: 4 initial_backoff { } jitter: 0 }");
  Tick();
  uint64_t attempt = TakeOnlyStart();
  Heartbeat(attempt, "10 of 30");
  EXPECT_EQ(Get(name).checkpoint(), "10 of 30");
  Take(Failed(attempt));
  Tick();
  auto starts = TakeStarts();
  ASSERT_THAT(starts, SizeIs(1));
  EXPECT_EQ(starts[0].checkpoint(), "10 of 30");
  // The end says it, too: a heartbeat may be lost with its link.
  Outcome ended = Failed(starts[0].attempt());
  ended.set_checkpoint("20 of 30");
  Take(std::move(ended));
  starts = TakeStarts();
  ASSERT_THAT(starts, SizeIs(1));
  EXPECT_EQ(starts[0].checkpoint(), "20 of 30");
  End(starts[0].attempt());
  EXPECT_EQ(Get(name).checkpoint(), "");
}

TEST_F(AttemptMovesTest, ACheckpointOutlivesTheDeathOfAll) {
  Up(0);
  const std::string name = Spawn("durability: DURABILITY_DURABLE");
  Persist();
  Heartbeat(TakeOnlyStart(), "halfway");
  Persist();
  daemon_number_ = 1;
  Make("", 2);
  Recover(Disk());
  EXPECT_EQ(Get(name).checkpoint(), "halfway");
  Up(0);
  const auto starts = TakeStarts();
  ASSERT_THAT(starts, SizeIs(1));
  EXPECT_EQ(starts[0].checkpoint(), "halfway");
}

}  // namespace
}  // namespace grove::tasks
