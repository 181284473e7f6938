#include "server/worker/attempts.h"

#include <stdexcept>

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"

namespace grove::worker {
namespace {

using internal::v1::AttemptEnded;

class AttemptsTest : public ::testing::Test {
 protected:
  void Add(std::string name, Function function, FunctionOptions options = {}) {
    functions_[std::move(name)] = {std::move(function), std::move(options)};
  }
  // Runs `body` on a fiber beside the attempts, then drains them.
  void Run(std::function<void(Attempts&)> body) {
    auto hub = Hub::Create();
    ASSERT_TRUE(hub.ok());
    Attempts attempts(functions_, services_, limits_);
    RunOn(**hub, [&] {
      body(attempts);
      EXPECT_TRUE(attempts.Drain(Hub::Current()->now()).ok());
      Yield();
    });
    EXPECT_EQ(attempts.running(), 0);
  }
  static internal::v1::StartAttempt Order(uint64_t id, std::string function) {
    internal::v1::StartAttempt start;
    start.set_attempt(id);
    start.set_function(std::move(function));
    start.set_task("tenants/default/tasks/1");
    start.set_tenant("default");
    start.set_number(1);
    return start;
  }
  // Waits for the next frame with ends in it.
  static AttemptEnded NextEnd(Attempts& attempts) {
    for (;;) {
      EXPECT_TRUE(attempts.news().Wait().ok());
      internal::v1::WorkerFrame frame;
      attempts.TakeNews(frame);
      if (frame.ended_size() > 0) {
        EXPECT_EQ(frame.ended_size(), 1);
        return frame.ended(0);
      }
    }
  }
  // How an attempt at `function` ends.
  AttemptEnded EndOf(std::string function, int64_t timeout_ms = 0) {
    AttemptEnded end;
    Run([&](Attempts& attempts) {
      auto start = Order(7, function);
      start.set_timeout_ms(timeout_ms);
      attempts.Start(start);
      end = NextEnd(attempts);
    });
    return end;
  }

  Attempts::Functions functions_;
  AttemptLimits limits_;
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 0, .fetch = *fetch_, .offload = offload_};
};

absl::StatusOr<Output> SleepForEver(TaskContext&) {
  if (absl::Status status = Sleep(absl::InfiniteDuration()); !status.ok()) return status;
  return Output{};
}

TEST_F(AttemptsTest, DeliversTheOutputWithItsTimes) {
  Add("echo", [](TaskContext& context) -> absl::StatusOr<Output> {
    return Output{std::string(context.input()), "text/plain"};
  });
  AttemptEnded end;
  Run([&](Attempts& attempts) {
    auto start = Order(7, "echo");
    start.set_input("hi");
    attempts.Start(start);
    end = NextEnd(attempts);
  });
  EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_SUCCEEDED);
  EXPECT_EQ(end.attempt(), 7u);
  EXPECT_EQ(end.output(), "hi");
  EXPECT_EQ(end.output_content_type(), "text/plain");
  EXPECT_GT(end.start_time_us(), 0);
  EXPECT_GE(end.end_time_us(), end.start_time_us());
}

TEST_F(AttemptsTest, OneThatSuspendsItselfSaysForWhatAndLeavesItsCheckpoint) {
  Add("f", [](TaskContext& context) -> absl::StatusOr<Output> {
    if (absl::Status kept = context.Checkpoint("half"); !kept.ok()) return kept;
    return SuspendUntilEnded({"tenants/default/queues/default/tasks/1"}, absl::Seconds(3));
  });
  const AttemptEnded end = EndOf("f");
  EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_SUSPENDED);
  EXPECT_EQ(end.checkpoint(), "half");
  EXPECT_EQ(end.suspended().for_us(), 3'000'000);
  ASSERT_EQ(end.suspended().tasks_size(), 1);
  EXPECT_EQ(end.suspended().tasks(0), "tenants/default/queues/default/tasks/1");
  EXPECT_FALSE(end.has_error());
}

TEST_F(AttemptsTest, AnErrorStatusFails) {
  Add("f", [](TaskContext&) { return absl::InvalidArgumentError("no url"); });
  const AttemptEnded end = EndOf("f");
  EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_FAILED);
  EXPECT_EQ(end.error().code(), 3);
  EXPECT_EQ(end.error().message(), "no url");
}

// Control would refuse the frame, and each that repeats the end.
TEST_F(AttemptsTest, AnErrorThatIsNoUtf8CanBeTold) {
  Add("latin",
      [](TaskContext&) -> absl::StatusOr<Output> { return absl::InternalError("caf\xe9"); });
  Add("type", [](TaskContext&) -> absl::StatusOr<Output> {
    return Output{.bytes = "\xff", .content_type = "text/\xff"};
  });
  for (const char* function : {"latin", "type"}) {
    const AttemptEnded end = EndOf(function);
    AttemptEnded told;
    EXPECT_TRUE(told.ParseFromString(end.SerializeAsString())) << function;
    EXPECT_EQ(told.error().message(), function[0] == 'l' ? "caf\ufffd" : "");
  }
}

TEST_F(AttemptsTest, AnExceptionFailsWithItsText) {
  Add("f", [](TaskContext&) -> absl::StatusOr<Output> { throw std::runtime_error("boom"); });
  const AttemptEnded end = EndOf("f");
  EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_FAILED);
  EXPECT_EQ(end.error().code(), static_cast<int>(absl::StatusCode::kUnknown));
  EXPECT_NE(end.error().message().find("boom"), std::string::npos);
}

TEST_F(AttemptsTest, ItsTimeOutIsTimedOutAndAnInnerOneIsNot) {
  Add("sleep", SleepForEver);
  EXPECT_EQ(EndOf("sleep", 1).outcome(), AttemptEnded::OUTCOME_TIMED_OUT);
  Add("inner", [](TaskContext&) -> absl::StatusOr<Output> {
    return absl::DeadlineExceededError("the far end was slow");
  });
  EXPECT_EQ(EndOf("inner", 60'000).outcome(), AttemptEnded::OUTCOME_FAILED);
}

TEST_F(AttemptsTest, TakesTheFunctionsTimeOutThenTheLimits) {
  Add("own", SleepForEver, {.default_timeout = absl::Milliseconds(1)});
  EXPECT_EQ(EndOf("own").outcome(), AttemptEnded::OUTCOME_TIMED_OUT);
  Add("none", SleepForEver);
  limits_.default_timeout = absl::Milliseconds(1);
  EXPECT_EQ(EndOf("none").outcome(), AttemptEnded::OUTCOME_TIMED_OUT);
}

TEST_F(AttemptsTest, CancelEndsARunningOneAndOneThatHasNotStarted) {
  Add("sleep", SleepForEver);
  for (const bool started : {true, false}) {
    Run([&](Attempts& attempts) {
      attempts.Start(Order(7, "sleep"));
      if (started) Yield();
      internal::v1::CancelAttempt cancel;
      cancel.set_attempt(7);
      cancel.set_reason("by hand");
      attempts.Cancel(cancel);
      const AttemptEnded end = NextEnd(attempts);
      EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_CANCELLED) << started;
      EXPECT_EQ(end.error().message(), "by hand");
    });
  }
}

TEST_F(AttemptsTest, RefusesAnUnknownFunction) {
  const AttemptEnded end = EndOf("nope");
  EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_FAILED);
  EXPECT_EQ(end.error().code(), 3);
}

TEST_F(AttemptsTest, GivesBackWhatIsBeyondItsCapacity) {
  Add("sleep", SleepForEver);
  limits_.running_max = 1;
  Run([&](Attempts& attempts) {
    attempts.Start(Order(1, "sleep"));
    attempts.Start(Order(2, "sleep"));
    const AttemptEnded end = NextEnd(attempts);
    EXPECT_EQ(end.attempt(), 2u);
    EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_INTERRUPTED);
    EXPECT_EQ(attempts.running(), 1);
  });
}

TEST_F(AttemptsTest, AnOutputOverTheLimitFails) {
  limits_.output_max_bytes = 4;
  Add("four", [](TaskContext&) -> absl::StatusOr<Output> { return Output{"1234"}; });
  Add("five", [](TaskContext&) -> absl::StatusOr<Output> { return Output{"12345"}; });
  EXPECT_EQ(EndOf("four").outcome(), AttemptEnded::OUTCOME_SUCCEEDED);
  const AttemptEnded end = EndOf("five");
  EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_FAILED);
  EXPECT_EQ(end.error().code(), 8);
}

TEST_F(AttemptsTest, ADrainInterruptsWhatRunsAtItsDeadlineAndRefusesNewOnes) {
  Add("sleep", SleepForEver);
  Run([&](Attempts& attempts) {
    attempts.Start(Order(1, "sleep"));
    Yield();
    EXPECT_TRUE(attempts.Drain(Hub::Current()->now()).ok());
    EXPECT_EQ(NextEnd(attempts).outcome(), AttemptEnded::OUTCOME_INTERRUPTED);
    attempts.Start(Order(2, "sleep"));
    EXPECT_EQ(NextEnd(attempts).outcome(), AttemptEnded::OUTCOME_INTERRUPTED);
  });
}

TEST_F(AttemptsTest, WhatTheDaemonsEndKeptFromSpawningIsGivenBack) {
  Add("f", [](TaskContext&) -> absl::StatusOr<Output> {
    return WithReason(absl::UnavailableError("the daemon drains"), "DRAINING");
  });
  const AttemptEnded end = EndOf("f");
  EXPECT_EQ(end.outcome(), AttemptEnded::OUTCOME_INTERRUPTED);
  EXPECT_EQ(end.error().message(), "the daemon drains");
}

TEST_F(AttemptsTest, ADrainLetsWhatRunsFinish) {
  Add("brief", [](TaskContext&) -> absl::StatusOr<Output> {
    Yield();
    Yield();
    return Output{"done"};
  });
  Run([&](Attempts& attempts) {
    attempts.Start(Order(1, "brief"));
    EXPECT_TRUE(attempts.Drain(kNever).ok());
    EXPECT_EQ(NextEnd(attempts).outcome(), AttemptEnded::OUTCOME_SUCCEEDED);
  });
}

TEST_F(AttemptsTest, KeepsAnEndUntilItIsAcknowledged) {
  Add("f", [](TaskContext&) -> absl::StatusOr<Output> { return Output{"x"}; });
  Run([&](Attempts& attempts) {
    attempts.Start(Order(7, "f"));
    NextEnd(attempts);
    internal::v1::Hello hello;
    attempts.FillHello(hello);
    ASSERT_EQ(hello.running_size(), 1);
    EXPECT_EQ(hello.running(0), 7u);
    EXPECT_EQ(NextEnd(attempts).output(), "x");
    attempts.Acknowledge(7);
    EXPECT_EQ(attempts.unacknowledged(), 0u);
    EXPECT_TRUE(attempts.AwaitAcknowledged().ok());
  });
}

TEST_F(AttemptsTest, IgnoresASecondStartOfTheSameAttempt) {
  int runs = 0;
  Add("f", [&](TaskContext&) -> absl::StatusOr<Output> {
    ++runs;
    return Output{};
  });
  Run([&](Attempts& attempts) {
    attempts.Start(Order(7, "f"));
    attempts.Start(Order(7, "f"));
    NextEnd(attempts);
    attempts.Start(Order(7, "f"));
    Yield();
  });
  EXPECT_EQ(runs, 1);
}

TEST_F(AttemptsTest, OnlyTheLastProgressOfATurnTravels) {
  Add("f", [](TaskContext& context) -> absl::StatusOr<Output> {
    context.ReportProgress(0.1, "first");
    context.ReportProgress(1.5, "second");
    return Output{};
  });
  Run([&](Attempts& attempts) {
    attempts.Start(Order(7, "f"));
    Yield();
    internal::v1::WorkerFrame frame;
    EXPECT_TRUE(attempts.TakeNews(frame));
    EXPECT_EQ(frame.started_size(), 1);
    EXPECT_NE(frame.started(0).fiber(), 0u);
    ASSERT_EQ(frame.progress_size(), 1);
    EXPECT_EQ(frame.progress(0).message(), "second");
    EXPECT_EQ(frame.progress(0).fraction(), 1.0);
    EXPECT_EQ(frame.ended_size(), 1);
  });
}

TEST_F(AttemptsTest, AFunctionSeesItsTask) {
  Add("f", [](TaskContext& context) -> absl::StatusOr<Output> {
    EXPECT_EQ(context.task(), "tenants/default/tasks/1");
    EXPECT_EQ(context.tenant(), "default");
    EXPECT_EQ(context.function(), "f");
    EXPECT_EQ(context.attempt(), 1);
    EXPECT_FALSE(context.cancelled());
    EXPECT_EQ(Hub::Current()->running()->label()->task, "tenants/default/tasks/1");
    return Output{};
  });
  EXPECT_EQ(EndOf("f").outcome(), AttemptEnded::OUTCOME_SUCCEEDED);
}

TEST_F(AttemptsTest, AFunctionsWordOnRetriesTravels) {
  Add("later", [](TaskContext&) { return RetryAfter(absl::Seconds(3), "busy"); });
  Add("never", [](TaskContext&) { return NeverAgain("gone"); });
  Add("plain", [](TaskContext&) { return absl::UnavailableError("busy"); });
  const AttemptEnded later = EndOf("later"), never = EndOf("never"), plain = EndOf("plain");
  EXPECT_EQ(later.retry_after_us(), 3'000'000);
  EXPECT_FALSE(later.never_again());
  EXPECT_TRUE(never.never_again());
  EXPECT_FALSE(never.has_retry_after_us());
  EXPECT_FALSE(plain.has_retry_after_us() || plain.never_again());
}

TEST_F(AttemptsTest, WhatItLeavesTravelsAtOnceAndWithItsEnd) {
  Event gate;
  Add("leaves", [&gate](TaskContext& context) -> absl::StatusOr<Output> {
    EXPECT_EQ(context.checkpoint(), "earlier");
    EXPECT_TRUE(context.Checkpoint("1").ok());
    EXPECT_TRUE(context.Checkpoint("2").ok());
    EXPECT_EQ(context.Checkpoint(std::string(kCheckpointBytesMax + 1, 'x')).code(),
              absl::StatusCode::kInvalidArgument);
    if (absl::Status open = gate.Wait(); !open.ok()) return open;
    context.Heartbeat();
    return absl::InternalError("");
  });
  Run([&](Attempts& attempts) {
    auto start = Order(7, "leaves");
    start.set_checkpoint("earlier");
    attempts.Start(start);
    Yield();
    internal::v1::WorkerFrame frame;
    ASSERT_TRUE(attempts.TakeNews(frame));
    ASSERT_EQ(frame.heartbeats_size(), 1);
    EXPECT_EQ(frame.heartbeats(0).attempt(), 7u);
    EXPECT_EQ(frame.heartbeats(0).checkpoint(), "2");
    // A new control may not have heard it.
    internal::v1::Hello hello;
    attempts.FillHello(hello);
    ASSERT_EQ(hello.attempts_size(), 1);
    EXPECT_EQ(hello.attempts(0).number(), 1);
    EXPECT_EQ(hello.attempts(0).task(), "tenants/default/tasks/1");
    internal::v1::WorkerFrame again;
    ASSERT_TRUE(attempts.TakeNews(again));
    ASSERT_EQ(again.heartbeats_size(), 1);
    EXPECT_EQ(again.heartbeats(0).checkpoint(), "2");
    gate.Set();
    EXPECT_EQ(NextEnd(attempts).checkpoint(), "2");
  });
}

TEST_F(AttemptsTest, AHeartbeatIsToldOnceATurnAndNotAfterTheEnd) {
  Add("beats", [](TaskContext& context) -> absl::StatusOr<Output> {
    context.Heartbeat();
    context.Heartbeat();
    Yield();
    context.Heartbeat();
    return Output{};
  });
  Run([&](Attempts& attempts) {
    attempts.Start(Order(7, "beats"));
    Yield();
    internal::v1::WorkerFrame frame;
    ASSERT_TRUE(attempts.TakeNews(frame));
    EXPECT_EQ(frame.heartbeats_size(), 1);
    EXPECT_FALSE(frame.heartbeats(0).has_checkpoint());
    Yield();
    internal::v1::WorkerFrame last;
    ASSERT_TRUE(attempts.TakeNews(last));
    EXPECT_EQ(last.ended_size(), 1);
    EXPECT_EQ(last.heartbeats_size(), 0);
  });
}

}  // namespace
}  // namespace grove::worker
