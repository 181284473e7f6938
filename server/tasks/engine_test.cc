#include "server/tasks/engine.h"

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(EngineTest, RefusesSpawnsUntilAWorkerNamedItsFunctions) {
  const absl::Status status = Refused("");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(RefusalReason(status), "NO_WORKER_YET");
  Up(0);
  EXPECT_EQ(RefusalReason(Refused("function: 'nope'")), "UNKNOWN_FUNCTION");
  EXPECT_EQ(RefusalReason(Refused("", "tenants/acme")), "TENANT_NOT_FOUND");
  EXPECT_EQ(RefusalReason(Refused("queue: 'mail'")), "QUEUE_NOT_FOUND");
  ASSERT_EQ(fx_.tallies.size(), 4u);
  EXPECT_EQ(fx_.tallies[1].kind, Tally::Kind::kRejected);
  EXPECT_EQ(fx_.tallies[1].reason, "UNKNOWN_FUNCTION");
}

TEST_F(EngineTest, RunsATaskToItsEnd) {
  Up(0);
  const std::string name = Spawn();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_QUEUED);
  Tick();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(Pool().running(), 1);
  const uint64_t attempt = TakeOnlyStart();
  EXPECT_EQ(attempt >> 40, 1u);
  End(attempt);
  const v1::Task task = Get(name);
  EXPECT_EQ(task.state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(task.output(), "out");
  EXPECT_EQ(task.attempts_size(), 1);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::STATE_SUCCEEDED);
  EXPECT_TRUE(HasEnded(name));
  EXPECT_THAT(TakeAcknowledged(), ElementsAre(attempt));
  EXPECT_EQ(Pool().running(), 0);
}

TEST_F(EngineTest, StartsADelayedTaskAtItsTimeNotBefore) {
  Up(0);
  const std::string name = Spawn("delay { seconds: 5 }");
  Tick();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  EXPECT_THAT(Get(name).waiting_reason(), HasSubstr("starts at 2023-11-14T22:13:25Z"));
  EXPECT_EQ(engine_->NextDeadline(), now_ + 5 * kSecond);
  now_ += 5 * kSecond - 1;
  Tick();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  now_ += 1;
  Tick();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
}

TEST_F(EngineTest, CancelsAWaitingTaskAtOnce) {
  Up(0, 0);
  const std::string queued = Spawn();
  const std::string scheduled = Spawn("delay { seconds: 5 }");
  for (const std::string& name : {queued, scheduled}) {
    ASSERT_TRUE(engine_->Cancel(name, "no need", now_, fx_).ok());
    EXPECT_EQ(StateOf(name), v1::TASK_STATE_CANCELLED);
    EXPECT_THAT(Get(name).error().message(), HasSubstr("no need"));
    EXPECT_TRUE(HasEnded(name));
  }
  Up(0, 10);
  Tick(10);
  EXPECT_THAT(TakeStarts(), IsEmpty());
  EXPECT_EQ(Queue().queued(), 0);
  EXPECT_EQ(Queue().scheduled(), 0);
}

TEST_F(EngineTest, KeepsTheRoomOfACancelledAttemptUntilTheWorkerConfirms) {
  Make("tenants { name: 'default' pools { name: 'default' size: 1 } }");
  Up(0);
  const std::string first = Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  ASSERT_TRUE(engine_->Cancel(first, "", now_, fx_).ok());
  EXPECT_EQ(StateOf(first), v1::TASK_STATE_CANCELLED);
  EXPECT_TRUE(HasEnded(first));
  EXPECT_THAT(TakeCancels(), ElementsAre(attempt));
  const std::string second = Spawn();
  Tick();
  EXPECT_EQ(Get(second).waiting_reason(), "pool default is full: 1 of 1 running");
  End(attempt, Outcome::OUTCOME_CANCELLED);
  EXPECT_THAT(TakeAcknowledged(), ElementsAre(attempt));
  EXPECT_EQ(StateOf(second), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(StateOf(first), v1::TASK_STATE_CANCELLED);
}

TEST_F(EngineTest, CancellingAnEndedTaskChangesNothing) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  End(TakeOnlyStart());
  fx_.Clear();
  ASSERT_TRUE(engine_->Cancel(name, "late", now_, fx_).ok());
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
  EXPECT_TRUE(fx_.empty());
}

TEST_F(EngineTest, IgnoresAndAcknowledgesALateEnd) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  End(attempt);
  TakeAcknowledged();
  End(attempt, Outcome::OUTCOME_FAILED);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
  EXPECT_THAT(TakeAcknowledged(), ElementsAre(attempt));
  EXPECT_EQ(Pool().running(), 0);
}

TEST_F(EngineTest, DoesNotRetryWhatTheSameInputWouldFailAgain) {
  internal::v1::Hello hello = Hello(0);
  hello.mutable_functions(0)->add_not_retried(static_cast<int>(absl::StatusCode::kNotFound));
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  const std::pair<absl::StatusCode, v1::TaskState> table[] = {
      {absl::StatusCode::kInvalidArgument, v1::TASK_STATE_FAILED},
      {absl::StatusCode::kPermissionDenied, v1::TASK_STATE_FAILED},
      {absl::StatusCode::kNotFound, v1::TASK_STATE_FAILED},  // the function says so
      {absl::StatusCode::kUnimplemented, v1::TASK_STATE_SCHEDULED},
      {absl::StatusCode::kInternal, v1::TASK_STATE_SCHEDULED},
  };
  for (const auto& [code, state] : table) {
    const std::string name = Spawn("retry_policy { max_attempts: 3 }");
    Tick();
    Outcome ended;
    ended.set_attempt(TakeOnlyStart());
    ended.set_outcome(Outcome::OUTCOME_FAILED);
    ended.mutable_error()->set_code(static_cast<int>(code));
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
    EXPECT_EQ(StateOf(name), state) << absl::StatusCodeToString(code);
    EXPECT_EQ(Get(name).attempts_size(), 1);
  }
}

TEST_F(EngineTest, RetriesWithGrowingBackoffThenFails) {
  Up(0);
  const std::string name = Spawn("retry_policy { max_attempts: 3 initial_backoff { seconds: 2 } }");
  Tick();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  EXPECT_THAT(Get(name).waiting_reason(), HasSubstr("attempt 1 did not succeed"));
  Tick(1);
  EXPECT_THAT(TakeStarts(), IsEmpty());
  Tick(1);
  End(TakeOnlyStart(), Outcome::OUTCOME_TIMED_OUT);
  Tick(3);
  EXPECT_THAT(TakeStarts(), IsEmpty());
  Tick(1);
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  const v1::Task task = Get(name);
  EXPECT_EQ(task.state(), v1::TASK_STATE_FAILED);
  EXPECT_EQ(task.attempts_size(), 3);
  EXPECT_EQ(task.attempts(1).state(), v1::Attempt::STATE_TIMED_OUT);
  EXPECT_TRUE(task.has_error());
}

TEST_F(EngineTest, TimesOutWhatTheWorkerDoesNotStop) {
  Up(0);
  const std::string name = Spawn("timeout { seconds: 3 }");
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  Begin(attempt);
  Tick(4);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  Tick(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_TIMED_OUT);
  EXPECT_THAT(TakeCancels(), ElementsAre(attempt));
  EXPECT_EQ(Pool().running(), 1);
  End(attempt, Outcome::OUTCOME_CANCELLED);
  EXPECT_EQ(Pool().running(), 0);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_TIMED_OUT);
}

TEST_F(EngineTest, ReturnsTheEarlierTaskForTheSameRequestId) {
  Make("tenants { name: 'acme' }");
  Up(0);
  const std::string first = Spawn("request_id: 'r1'");
  EXPECT_EQ(Spawn("request_id: 'r1'"), first);
  EXPECT_NE(Spawn("request_id: 'r2'"), first);
  EXPECT_NE(Spawn("request_id: 'r1'", "tenants/acme"), first);
  EXPECT_EQ(Queue().spawned_total(), 2);
}

TEST_F(EngineTest, FindsWhatWasSpawnedUnderARequestId) {
  Make("tenants { name: 'acme' }");
  Up(0);
  const std::string name = Spawn("request_id: 'r1'");
  const auto found = engine_->FindRequest(0, "r1");
  ASSERT_TRUE(found);
  EXPECT_EQ(engine_->NameOf(*found), name);
  EXPECT_FALSE(engine_->FindRequest(0, "r2"));
  EXPECT_FALSE(engine_->FindRequest(1, "r1"));
}

TEST_F(EngineTest, RefusesWhatIsBeyondTheDepth) {
  Make("tenants { name: 'default' queues { name: 'default' depth_max: 2 } }");
  Up(0, 0);
  Spawn();
  Spawn("delay { seconds: 9 }");
  const absl::Status status = Refused("");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RefusalReason(status), "QUEUE_FULL");
  EXPECT_TRUE(status.GetPayload("type.googleapis.com/google.rpc.QuotaFailure").has_value());
  EXPECT_TRUE(status.GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
  EXPECT_EQ(Queue().rejected_total(), 1);
}

TEST_F(EngineTest, DropsEndedTasksAfterTheRetention) {
  Make("tasks { retention_ms: 5000 }");
  Up(0);
  const std::string name = Spawn("request_id: 'r'");
  Tick();
  End(TakeOnlyStart());
  EXPECT_EQ(engine_->NextDeadline(), now_ + 5 * kSecond);
  Tick(4);
  EXPECT_TRUE(engine_->Find(name).ok());
  Tick(1);
  EXPECT_EQ(engine_->Find(name).status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(Spawn("request_id: 'r'"), name);
}

TEST_F(EngineTest, DropsTheOldestEndedTasksBeyondTheirNumberOnceTheirWaitersWereTold) {
  Make("tasks { retained_max: 1 }");
  Up(0);
  const std::string first = Spawn();
  const std::string second = Spawn();
  Tick();
  for (const auto& start : TakeStarts()) {
    Outcome ended;
    ended.set_attempt(start.attempt());
    ended.set_outcome(Outcome::OUTCOME_SUCCEEDED);
    engine_->AttemptEnded(0, std::move(ended), now_, fx_);
  }
  Tick();
  EXPECT_TRUE(HasEnded(first));
  Tick();
  EXPECT_FALSE(engine_->Find(first).ok());
  EXPECT_TRUE(engine_->Find(second).ok());
}

TEST_F(EngineTest, ShowsTheProgressOfARunningTask) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  internal::v1::AttemptProgress progress;
  progress.set_attempt(TakeOnlyStart());
  progress.set_fraction(7);
  progress.set_message("half");
  engine_->AttemptProgress(1, progress, now_);
  EXPECT_EQ(Get(name).progress(), 0);
  engine_->AttemptProgress(0, progress, now_);
  EXPECT_EQ(Get(name).progress(), 1);
  EXPECT_EQ(Get(name).progress_message(), "half");
}

TEST_F(EngineTest, NeitherStartsNorAcknowledgesADurableTaskBeforeItIsOnDisk) {
  Up(0);
  auto spawned = engine_->Spawn("", Spec("durability: DURABILITY_DURABLE"), now_, fx_);
  ASSERT_TRUE(spawned.ok());
  EXPECT_FALSE(spawned->acknowledged);
  Tick();
  EXPECT_THAT(TakeStarts(), IsEmpty());
  EXPECT_EQ(Get(spawned->name).waiting_reason(), "it is being written to disk");
  EXPECT_THAT(fx_.acknowledged, IsEmpty());
  Persist();
  EXPECT_THAT(fx_.acknowledged, ElementsAre(spawned->id));
  EXPECT_EQ(TakeStarts().size(), 1u);
}

TEST_F(EngineTest, AcknowledgesADurableEndOnlyWhenItIsOnDisk) {
  Up(0);
  const std::string name = Spawn("durability: DURABILITY_DURABLE");
  Persist();
  const uint64_t attempt = TakeOnlyStart();
  End(attempt);
  EXPECT_THAT(TakeAcknowledged(), IsEmpty());
  EXPECT_THAT(fx_.ended, IsEmpty());
  EXPECT_FALSE(engine_->IsSettled(*engine_->Find(name)));
  End(attempt);
  EXPECT_THAT(TakeAcknowledged(), IsEmpty()) << "told again: still not on disk";
  Persist();
  EXPECT_THAT(TakeAcknowledged(), ElementsAre(attempt));
  EXPECT_TRUE(HasEnded(name));
  EXPECT_TRUE(engine_->IsSettled(*engine_->Find(name)));
}

TEST_F(EngineTest, NobodyIsToldOfADurableEndBeforeItIsOnDisk) {
  Up(0);
  const std::string name = Spawn("durability: DURABILITY_DURABLE");
  Persist();
  const std::string running = Get(name).DebugString();
  End(TakeOnlyStart());
  v1::Task told = Get(name);
  EXPECT_EQ(told.waiting_reason(), "its end is being written to disk");
  told.clear_waiting_reason();
  EXPECT_EQ(told.DebugString(), running);
  v1::ListTasksRequest ended;
  ended.add_states(v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(engine_->ListTasks(ended, now_)->tasks_size(), 0);
  Persist();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(Get(name).waiting_reason(), "");
  EXPECT_EQ(engine_->ListTasks(ended, now_)->tasks_size(), 1);
}

TEST_F(EngineTest, NobodyIsToldOfADurableCancellationBeforeItIsOnDisk) {
  Up(0, 0);
  const std::string name = Spawn("durability: DURABILITY_DURABLE delay { seconds: 5 }");
  Persist();
  ASSERT_TRUE(engine_->Cancel(name, "no need", now_, fx_).ok());
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_SCHEDULED);
  EXPECT_FALSE(Get(name).has_error());
  Persist();
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_CANCELLED);
  EXPECT_TRUE(Get(name).has_error());
}

TEST_F(EngineTest, CancelsADurableTaskThatIsNotYetOnDisk) {
  Up(0);
  const std::string name = Spawn("durability: DURABILITY_DURABLE");
  ASSERT_TRUE(engine_->Cancel(name, "", now_, fx_).ok());
  Persist();
  EXPECT_THAT(TakeStarts(), IsEmpty());
  EXPECT_TRUE(HasEnded(name));
}

TEST_F(EngineTest, RefusesDurableTasksWhileTheStoreFails) {
  Up(0);
  engine_->Persisted({.status = absl::ResourceExhaustedError("disk full")}, now_, fx_);
  EXPECT_EQ(RefusalReason(Refused("durability: DURABILITY_DURABLE")), "STORE_UNAVAILABLE");
  Spawn();
  engine_->Persisted({}, now_, fx_);
  Spawn("durability: DURABILITY_DURABLE");
}

TEST_F(EngineTest, RefusesDurableTasksWhileTheDiskIsNearlyFull) {
  Up(0);
  engine_->Persisted({.room = absl::ResourceExhaustedError("5 of 100 bytes are free")}, now_, fx_);
  const absl::Status refused = Refused("durability: DURABILITY_DURABLE");
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RefusalReason(refused), "STORE_FULL");
  Spawn();
  engine_->Persisted({}, now_, fx_);
  Spawn("durability: DURABILITY_DURABLE");
}

TEST_F(EngineTest, ARequestIdStandsForOneRequest) {
  Make("tenants { name: 'default' queues { name: 'mail' } }");
  auto hello = Hello(0);
  hello.add_functions()->set_name("other");
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  const std::string name = Spawn("request_id: 'r' input: '[1]'");
  EXPECT_EQ(Spawn("request_id: 'r' input: '[1]' priority: 3"), name);
  EXPECT_EQ(Spawn("request_id: 'r' input: '[1]' content_type: 'application/json'"), name);
  for (const char* text : {"input: '[2]'", "input: '[1]' function: 'other'",
                           "input: '[1]' queue: 'mail'", "input: '[1]' content_type: 'a/b'", ""}) {
    const absl::Status refused = Refused(std::string("request_id: 'r' ") + text);
    EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists) << text;
    EXPECT_EQ(RefusalReason(refused), "REQUEST_ID_REUSED") << text;
    EXPECT_THAT(std::string(refused.message()),
                testing::ContainsRegex("[0-9a-f]{16}.*[0-9a-f]{16}"));
  }
}

TEST_F(EngineTest, CutsWhatAFunctionSaysAtACharacter) {
  Up(0);
  const std::string name = Spawn();
  Tick();
  Outcome ended;
  ended.set_attempt(TakeOnlyStart());
  ended.set_outcome(Outcome::OUTCOME_FAILED);
  std::string text = "x";
  for (int i = 0; i < 5000; ++i) text += "ä";
  ended.mutable_error()->set_message(text);
  engine_->AttemptEnded(0, std::move(ended), now_, fx_);
  const std::string message = Get(name).error().message();
  EXPECT_LT(message.size(), 4200u);
  EXPECT_THAT(message, testing::EndsWith("ä…"));
}

TEST_F(EngineTest, GrowsAndShrinksAPool) {
  Make("tenants { name: 'default' pools { name: 'default' size: 1 } }");
  Up(0);
  for (int i = 0; i < 4; ++i) Spawn();
  Tick();
  EXPECT_EQ(TakeStarts().size(), 1u);
  ASSERT_TRUE(engine_->ResizePool("tenants/default/pools/default", 3).ok());
  Tick();
  EXPECT_EQ(TakeStarts().size(), 2u);
  ASSERT_TRUE(engine_->ResizePool("tenants/default/pools/default", 0).ok());
  EXPECT_EQ(Pool().free(), -3);
  EXPECT_EQ(Pool().waiting(), 1);
  EXPECT_FALSE(engine_->ResizePool("tenants/default/pools/default", -1).ok());
  EXPECT_FALSE(engine_->ResizePool("tenants/default/pools/default", 1000001).ok());
  EXPECT_EQ(engine_->ResizePool("tenants/default/pools/x", 1).code(), absl::StatusCode::kNotFound);
}

TEST_F(EngineTest, DoesNotFindATaskUnderAnotherQueuesName) {
  Make("tenants { name: 'default' queues { name: 'mail' } }");
  Up(0);
  std::string name = Spawn();
  EXPECT_TRUE(engine_->Find(name).ok());
  name.replace(name.find("queues/default"), 14, "queues/mail");
  EXPECT_EQ(engine_->Find(name).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine_->Find("tenants/x").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grove::tasks
