#include "server/worker/linked_task_client.h"

#include <set>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/label_scope.h"
#include "runtime/hub/timeout.h"
#include "runtime/trace/span_fixture.h"

namespace grove::worker {
namespace {

using internal::v1::ControlFrame;
using internal::v1::InsideSpawn;
using internal::v1::WorkerFrame;
using ::testing::ElementsAre;

constexpr char kTask[] = "tenants/acme/queues/default/tasks/1";

// A client whose link the test plays.
class LinkedTaskClientTest : public HubTest {
 protected:
  LinkedTaskClientTest() { client_.Attach(0xabc, news_); }

  // What the link would send now.
  WorkerFrame Sent() {
    Yield();
    WorkerFrame frame;
    client_.TakeNews(frame);
    news_.Reset();
    return frame;
  }
  // Answers every spawn of the frame with a name.
  void Accept(const WorkerFrame& frame) {
    ControlFrame answers;
    for (const InsideSpawn& asked : frame.inside_spawns()) {
      internal::v1::InsideSpawned& answer = *answers.add_inside_spawned();
      answer.set_id(asked.id());
      answer.set_name(asked.spec().function() + " accepted");
    }
    client_.TakeAnswers(answers);
  }
  void Refuse(uint64_t id, absl::StatusCode code, const std::string& reason) {
    ControlFrame answers;
    internal::v1::InsideSpawned& answer = *answers.add_inside_spawned();
    answer.set_id(id);
    answer.mutable_refusal()->set_code(static_cast<int>(code));
    answer.mutable_refusal()->set_message("no");
    answer.mutable_refusal()->set_reason(reason);
    answer.mutable_refusal()->set_retry_after_ms(1500);
    client_.TakeAnswers(answers);
  }
  static SpawnRequest Of(std::string function, std::string input = "{}") {
    return {.function = std::move(function), .input = std::move(input)};
  }
  FiberHandle Asking(const std::string& function) {
    return *grove::Spawn("asks", [this, function] { answer_ = client_.Spawn(Of(function)); });
  }

  Event news_;
  LinkedTaskClient client_;
  absl::StatusOr<std::string> answer_ = absl::UnknownError("none yet");
};

TEST_F(LinkedTaskClientTest, ASpawnSaysAllOfTheRequestAndReturnsTheName) {
  Run([&] {
    client_.LinkUp();
    FiberHandle asks = *grove::Spawn("asks", [&] {
      answer_ = client_.Spawn({.function = "mail.send",
                               .input = "hi",
                               .content_type = "text/plain",
                               .queue = "mail",
                               .durable = false,
                               .delay = absl::Seconds(2),
                               .timeout = absl::Seconds(3),
                               .priority = 4,
                               .attempts_max = 5,
                               .request_id = "mine",
                               .labels = {{"a", "b"}}});
    });
    const WorkerFrame frame = Sent();
    ASSERT_EQ(frame.inside_spawns_size(), 1);
    const v1::TaskSpec& spec = frame.inside_spawns(0).spec();
    EXPECT_EQ(spec.function(), "mail.send");
    EXPECT_EQ(spec.input(), "hi");
    EXPECT_EQ(spec.content_type(), "text/plain");
    EXPECT_EQ(spec.queue(), "mail");
    EXPECT_EQ(spec.durability(), v1::DURABILITY_VOLATILE);
    EXPECT_EQ(spec.delay().seconds(), 2);
    EXPECT_EQ(spec.timeout().seconds(), 3);
    EXPECT_EQ(spec.priority(), 4);
    EXPECT_EQ(spec.retry_policy().max_attempts(), 5);
    EXPECT_EQ(spec.request_id(), "mine");
    EXPECT_EQ(spec.labels().at("a"), "b");
    Accept(frame);
    EXPECT_TRUE(asks.Join().ok());
    EXPECT_EQ(*answer_, "mail.send accepted");
    EXPECT_EQ(client_.open_calls(), 0u);
  });
}

TEST_F(LinkedTaskClientTest, WhoAsksIsTheFibersLabel) {
  Run([&] {
    client_.LinkUp();
    const auto label = std::make_shared<const FiberLabel>(FiberLabel{"acme", kTask});
    FiberHandle labelled = *grove::Spawn({.name = "a", .label = label}, [&] {
      std::vector<SpawnRequest> requests{Of("f"), Of("g")};
      requests[1].child = false;
      client_.SpawnAll(std::move(requests));
    });
    FiberHandle nobodys = Asking("h");
    const WorkerFrame frame = Sent();
    ASSERT_EQ(frame.inside_spawns_size(), 3);
    EXPECT_EQ(frame.inside_spawns(0).caller().tenant(), "acme");
    EXPECT_EQ(frame.inside_spawns(0).caller().task(), kTask);
    EXPECT_TRUE(frame.inside_spawns(0).child());
    EXPECT_FALSE(frame.inside_spawns(1).child());
    EXPECT_EQ(frame.inside_spawns(2).caller().tenant(), "default");
    EXPECT_EQ(frame.inside_spawns(2).caller().task(), "");
    Accept(frame);
    labelled.Join().IgnoreError();
    nobodys.Join().IgnoreError();
  });
}

TEST_F(LinkedTaskClientTest, ATurnsCallsTravelInOneFrameAndEachHasItsOwnAnswer) {
  Run([&] {
    client_.LinkUp();
    std::vector<absl::StatusOr<std::string>> results;
    FiberHandle many = *grove::Spawn("many", [&] {
      results = client_.SpawnAll({Of("a"), Of("b"), Of("c")});
    });
    FiberHandle one = Asking("d");
    const WorkerFrame frame = Sent();
    ASSERT_EQ(frame.inside_spawns_size(), 4);
    Refuse(frame.inside_spawns(1).id(), absl::StatusCode::kResourceExhausted, "QUEUE_FULL");
    Accept(frame);
    many.Join().IgnoreError();
    one.Join().IgnoreError();
    EXPECT_EQ(*results[0], "a accepted");
    EXPECT_TRUE(absl::IsResourceExhausted(results[1].status()));
    EXPECT_EQ(ReasonOf(results[1].status()), "QUEUE_FULL");
    EXPECT_EQ(RetryDelayOf(results[1].status()), absl::Milliseconds(1500));
    EXPECT_EQ(*results[2], "c accepted");
    EXPECT_EQ(*answer_, "d accepted");
  });
}

TEST_F(LinkedTaskClientTest, WhileControlIsAwayCallsWaitAndTheNextOneIsAskedTheSame) {
  Run([&] {
    FiberHandle asks = Asking("f");
    Yield();
    EXPECT_FALSE(news_.ready()) << "there is nobody to tell";
    client_.LinkUp();
    const WorkerFrame first = Sent();
    ASSERT_EQ(first.inside_spawns_size(), 1);
    client_.LinkDown();
    EXPECT_EQ(Sent().inside_spawns_size(), 0);
    client_.LinkUp();
    EXPECT_TRUE(news_.ready());
    const WorkerFrame again = Sent();
    ASSERT_EQ(again.inside_spawns_size(), 1);
    EXPECT_NE(first.inside_spawns(0).spec().request_id(), "");
    EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
    Accept(again);
    asks.Join().IgnoreError();
    EXPECT_EQ(*answer_, "f accepted");
    client_.LinkUp();
    EXPECT_EQ(Sent().inside_spawns_size(), 0) << "what was answered is not asked again";
  });
}

TEST_F(LinkedTaskClientTest, EveryCallHasARequestIdOfItsOwn) {
  Run([&] {
    client_.LinkUp();
    FiberHandle many = *grove::Spawn("many", [&] { client_.SpawnAll({Of("a"), Of("a")}); });
    const WorkerFrame frame = Sent();
    EXPECT_EQ(frame.inside_spawns(0).spec().request_id(), "inside-0000000000000abc-1");
    EXPECT_EQ(frame.inside_spawns(1).spec().request_id(), "inside-0000000000000abc-2");
    Accept(frame);
    many.Join().IgnoreError();
  });
}

TEST_F(LinkedTaskClientTest, ACallerIsNotKeptForEver) {
  Run([&] {
    const MonotonicNanos began = hub_->now();
    answer_ = client_.Spawn(Of("f"));
    EXPECT_EQ(absl::Nanoseconds(hub_->now() - began), kInsideAnswerMax);
    EXPECT_TRUE(absl::IsUnavailable(answer_.status()));
    EXPECT_EQ(ReasonOf(answer_.status()), "CONTROL_AWAY");
    client_.LinkUp();
    answer_ = client_.Spawn(Of("f"));
    EXPECT_EQ(ReasonOf(answer_.status()), "NO_ANSWER");
    {
      Timeout timeout(absl::Seconds(1));
      answer_ = client_.Spawn(Of("f"));
    }
    EXPECT_TRUE(absl::IsDeadlineExceeded(answer_.status()));
    EXPECT_EQ(client_.open_calls(), 0u);
    EXPECT_EQ(Sent().inside_spawns_size(), 0) << "what was given up unsent is not sent";
  });
}

TEST_F(LinkedTaskClientTest, ACancelledFibersCallIsForgotten) {
  Run([&] {
    client_.LinkUp();
    absl::StatusOr<TaskResult> waited = absl::UnknownError("none yet");
    FiberHandle waits =
        *grove::Spawn("waits", [&] { waited = client_.Wait(kTask, absl::InfiniteDuration()); });
    const WorkerFrame frame = Sent();
    ASSERT_EQ(frame.inside_waits_size(), 1);
    waits.Cancel();
    waits.Join().IgnoreError();
    EXPECT_TRUE(absl::IsCancelled(waited.status()));
    EXPECT_EQ(client_.open_calls(), 0u);
    const WorkerFrame after = Sent();
    EXPECT_THAT(after.inside_forgotten(), ElementsAre(frame.inside_waits(0).id()));
  });
}

TEST_F(LinkedTaskClientTest, AWaitReturnsHowTheTaskEnded) {
  Run([&] {
    client_.LinkUp();
    absl::StatusOr<TaskResult> waited = absl::UnknownError("none yet");
    const auto wait = [&](auto answer) {
      FiberHandle waits =
          *grove::Spawn("waits", [&] { waited = client_.Wait(kTask, absl::InfiniteDuration()); });
      const WorkerFrame frame = Sent();
      ASSERT_EQ(frame.inside_waits_size(), 1);
      EXPECT_EQ(frame.inside_waits(0).task(), kTask);
      ControlFrame answers;
      answers.add_inside_waited()->set_id(frame.inside_waits(0).id());
      answer(*answers.mutable_inside_waited(0));
      client_.TakeAnswers(answers);
      waits.Join().IgnoreError();
    };
    wait([](internal::v1::InsideWaited& answer) {
      answer.set_state(v1::TASK_STATE_SUCCEEDED);
      answer.set_output("out");
      answer.set_output_content_type("text/plain");
      answer.set_output_payload("tenants/default/payloads/1");
    });
    ASSERT_TRUE(waited.ok());
    EXPECT_TRUE(waited->status.ok());
    EXPECT_EQ(waited->output, "out");
    EXPECT_EQ(waited->output_payload, "tenants/default/payloads/1");
    EXPECT_EQ(waited->content_type, "text/plain");
    wait([](internal::v1::InsideWaited& answer) {
      answer.set_state(v1::TASK_STATE_TIMED_OUT);
      answer.mutable_error()->set_code(4);
      answer.mutable_error()->set_message("too long");
    });
    ASSERT_TRUE(waited.ok());
    EXPECT_EQ(waited->end, TaskEnd::kTimedOut);
    EXPECT_TRUE(absl::IsDeadlineExceeded(waited->status));
    wait([](internal::v1::InsideWaited& answer) {
      answer.mutable_refusal()->set_code(5);
      answer.mutable_refusal()->set_reason("TASK_NOT_FOUND");
    });
    EXPECT_TRUE(absl::IsNotFound(waited.status()));
    EXPECT_EQ(ReasonOf(waited.status()), "TASK_NOT_FOUND");
  });
}

TEST_F(LinkedTaskClientTest, AWaitIsBoundedAndSaysWhatItWaitedFor) {
  Run([&] {
    client_.LinkUp();
    absl::Status waited = client_.Wait(kTask, absl::Seconds(5)).status();
    EXPECT_TRUE(absl::IsDeadlineExceeded(waited));
    EXPECT_EQ(ReasonOf(waited), "WAIT_OVER");
    client_.LinkDown();
    waited = client_.Wait(kTask, absl::Seconds(5)).status();
    EXPECT_TRUE(absl::IsDeadlineExceeded(waited));
    EXPECT_EQ(ReasonOf(waited), "CONTROL_AWAY");
  });
}

TEST_F(LinkedTaskClientTest, TooManyOpenCallsAreRefused) {
  Run([&] {
    std::vector<FiberHandle> fibers;
    const std::string large(8 << 20, 'x');
    for (size_t i = 0; i < kInsideBytesMax / large.size(); ++i) {
      fibers.push_back(*grove::Spawn("asks", [&] { client_.Spawn(Of("f", large)).IgnoreError(); }));
    }
    Yield();
    EXPECT_LT(client_.open_calls(), fibers.size());
    answer_ = client_.Spawn(Of("f", large));
    EXPECT_TRUE(absl::IsResourceExhausted(answer_.status()));
    EXPECT_EQ(ReasonOf(answer_.status()), "TOO_MANY_INSIDE");
    EXPECT_GT(RetryDelayOf(answer_.status()), absl::ZeroDuration());
    for (FiberHandle& fiber : fibers) fiber.Cancel();
    for (FiberHandle& fiber : fibers) fiber.Join().IgnoreError();
    EXPECT_EQ(client_.open_calls(), 0u);
  });
}

TEST_F(LinkedTaskClientTest, WhatNoFrameTakesIsRefused) {
  Run([&] {
    client_.LinkUp();
    answer_ = client_.Spawn(Of("f", std::string(60 << 20, 'x')));
    EXPECT_TRUE(absl::IsInvalidArgument(answer_.status()));
    EXPECT_EQ(ReasonOf(answer_.status()), "INPUT_TOO_LARGE");
    EXPECT_EQ(client_.open_calls(), 0u);
  });
}

TEST_F(LinkedTaskClientTest, ManySpawnsGoInSeveralFrames) {
  Run([&] {
    client_.LinkUp();
    std::vector<absl::StatusOr<std::string>> results;
    FiberHandle many = *grove::Spawn("many", [&] {
      std::vector<SpawnRequest> requests(kInsidePerFrameMax + 1, Of("f"));
      results = client_.SpawnAll(std::move(requests));
    });
    const WorkerFrame first = Sent();
    EXPECT_EQ(first.inside_spawns_size(), kInsidePerFrameMax);
    Accept(first);
    const WorkerFrame second = Sent();
    EXPECT_EQ(second.inside_spawns_size(), 1);
    Accept(second);
    many.Join().IgnoreError();
    EXPECT_EQ(results.size(), static_cast<size_t>(kInsidePerFrameMax + 1));
  });
}

// Control would refuse the frame, and each that repeats it.
TEST_F(LinkedTaskClientTest, WhatIsNoUtf8CanBeTold) {
  Run([&] {
    client_.LinkUp();
    FiberHandle asks = *grove::Spawn("asks", [&] {
      answer_ =
          client_.Spawn({.function = "caf\xe9", .input = "\xff", .labels = {{"\xfe", "\xfd"}}});
    });
    const WorkerFrame frame = Sent();
    WorkerFrame parsed;
    EXPECT_TRUE(parsed.ParseFromString(frame.SerializeAsString()));
    EXPECT_EQ(parsed.inside_spawns(0).spec().function(), "caf\xef\xbf\xbd");
    EXPECT_EQ(parsed.inside_spawns(0).spec().input(), "\xff");
    Accept(frame);
    asks.Join().IgnoreError();
  });
}

TEST_F(LinkedTaskClientTest, ASpawnSaysWhichTraceItIsPartOf) {
  Run([&] {
    client_.LinkUp();
    {
      const TraceScope scope(CallersTrace(), nullptr);
      Asking("traced");
      const WorkerFrame frame = Sent();
      ASSERT_EQ(frame.inside_spawns_size(), 1);
      EXPECT_EQ(frame.inside_spawns(0).spec().traceparent(), FormatTraceparent(CallersTrace()));
      EXPECT_EQ(frame.inside_spawns(0).spec().tracestate(), "a=1");
      Accept(frame);
    }
    Asking("untraced");
    const WorkerFrame frame = Sent();
    ASSERT_EQ(frame.inside_spawns_size(), 1);
    EXPECT_EQ(frame.inside_spawns(0).spec().traceparent(), "");
    Accept(frame);
    Yield();
  });
}

}  // namespace
}  // namespace grove::worker
