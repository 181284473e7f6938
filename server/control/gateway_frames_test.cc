#include "server/control/gateway_frames.h"

#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using internal::v1::AttemptEnded;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRegistration[] =
    "session: 'abcdefgh12345678' capacity: 3 pid: 7 host: 'here' runtime: 'c++' "
    "functions { name: 'functions/resize' default_timeout { seconds: 9 } queue: 'mail' "
    "retry_policy { max_attempts: 4 not_retried_codes: 5 } concurrency_max: 2 } ";
constexpr WallMicros kNow = 1'000'000'000;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

const GatewayWorker kWorker = {.number = 300, .tenant = "acme", .output_max_bytes = 8};

absl::Status Check(const std::string& change) {
  auto registration = Parse<v1::WorkerRegistration>(kRegistration);
  EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(change, &registration)) << change;
  return CheckRegistration(registration, "acme");
}

AttemptEnded EndOf(const std::string& result) {
  internal::v1::WorkerFrame frame = FrameOf(
      Parse<v1::ConnectWorkerRequest>("results { attempt: '000000000000002a' " + result + " }"),
      kWorker, kNow);
  EXPECT_EQ(frame.ended_size(), 1);
  return frame.ended(0);
}

TEST(GatewayFrames, SayWhatIsWrongWithARegistration) {
  EXPECT_TRUE(Check("").ok()) << Check("");
  for (const auto& [change, field] : std::initializer_list<std::pair<std::string, std::string>>{
           {"session: 'short'", "registration.session"},
           {"session: 'with spaces here!'", "registration.session"},
           {"capacity: 0", "registration.capacity"},
           {"capacity: 10001", "registration.capacity"},
           {"host: 'a\\nb'", "registration.host"},
           {"runtime: '\\x01'", "registration.runtime"},
           {"functions { name: '' }", "registration.functions.name"},
           {"functions { name: 'a/b' }", "registration.functions.name"},
           {"functions { name: '-a' }", "registration.functions.name"},
           {"functions { name: 'f' slot_cost: -1 }", "registration.functions.f"},
           {"functions { name: 'f' concurrency_max: -1 }", "registration.functions.f"},
           {"functions { name: 'f' retry_policy { max_attempts: 101 } }",
            "registration.functions.f"}}) {
    const absl::Status status = Check(change);
    EXPECT_EQ(tasks::RefusalReason(status), "REGISTRATION_INVALID") << change;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field)) << change;
  }
}

TEST(GatewayFrames, KnowASessionAgainAndNoOtherTenants) {
  EXPECT_EQ(GatewayIncarnation("acme", "s"), GatewayIncarnation("acme", "s"));
  EXPECT_NE(GatewayIncarnation("acme", "s"), GatewayIncarnation("other", "s"));
  // Of every control, whatever it was built with.
  EXPECT_EQ(GatewayIncarnation("a", "b"), 0xe620c3190468cf61u);
}

TEST(GatewayFrames, AttemptsAndWorkersHaveNames) {
  EXPECT_EQ(AttemptName(42), "000000000000002a");
  EXPECT_EQ(AttemptOf("000000000000002a"), 42u);
  for (const char* text : {"", "2a", "000000000000002g", "0x0000000000002a", "-00000000000002a"}) {
    EXPECT_EQ(AttemptOf(text), std::nullopt) << text;
  }
  EXPECT_EQ(WorkerNumber("workers/256"), 256);
  EXPECT_EQ(WorkerNumber("workers/x"), std::nullopt);
  EXPECT_EQ(WorkerNumber("256"), std::nullopt);
}

TEST(GatewayFrames, HelloHasTheTenantsFunctions) {
  auto first = Parse<v1::ConnectWorkerRequest>(
      "registration { " + std::string(kRegistration) +
      "running { attempt: '0000000000000001' task: 'tenants/acme/queues/q/tasks/T' number: 2 } "
      "running { attempt: '0000000000000002' task: 'tenants/other/queues/q/tasks/T' number: 2 } "
      "running { attempt: 'none' } } results { attempt: '0000000000000003' cancelled { } }");
  const internal::v1::Hello hello = HelloOf(std::move(first), kWorker, kNow);
  EXPECT_EQ(hello.worker(), 300);
  EXPECT_EQ(hello.capacity(), 3);
  EXPECT_EQ(hello.incarnation(), GatewayIncarnation("acme", "abcdefgh12345678"));
  ASSERT_EQ(hello.functions_size(), 1);
  EXPECT_EQ(hello.functions(0).name(), "acme/resize");
  EXPECT_EQ(hello.functions(0).default_timeout_ms(), 9000);
  EXPECT_EQ(hello.functions(0).concurrency_max(), 2);
  EXPECT_EQ(hello.functions(0).retry().max_attempts(), 4);
  EXPECT_THAT(hello.functions(0).not_retried(), ElementsAre(5));
  EXPECT_THAT(hello.running(), ElementsAre(1u, 2u));
  // What it says of another tenant's task is not believed.
  ASSERT_EQ(hello.attempts_size(), 1);
  EXPECT_EQ(hello.attempts(0).number(), 2);
  ASSERT_EQ(hello.ended_size(), 1);
  EXPECT_EQ(hello.ended(0).outcome(), AttemptEnded::OUTCOME_CANCELLED);
}

TEST(GatewayFrames, ResultsAreEnds) {
  AttemptEnded ended = EndOf("output { data: '[1]' } checkpoint: 'c'");
  EXPECT_EQ(ended.outcome(), AttemptEnded::OUTCOME_SUCCEEDED);
  EXPECT_EQ(ended.output(), "[1]");
  EXPECT_EQ(ended.output_content_type(), "application/json");
  EXPECT_EQ(ended.checkpoint(), "c");
  EXPECT_EQ(ended.end_time_us(), kNow);
  ended = EndOf("failure { error { code: 14 } retry_after { seconds: 2 } }");
  EXPECT_EQ(ended.outcome(), AttemptEnded::OUTCOME_FAILED);
  EXPECT_EQ(ended.error().code(), 14);
  EXPECT_EQ(ended.retry_after_us(), 2'000'000);
  EXPECT_EQ(EndOf("failure { error { code: 0 } }").error().code(), 2) << "an error in any case";
  EXPECT_TRUE(EndOf("failure { never_again: true }").never_again());
  EXPECT_EQ(EndOf("returned { }").outcome(), AttemptEnded::OUTCOME_INTERRUPTED);
  ended = EndOf("suspension { duration { seconds: 1 } tasks: 'tenants/acme/queues/q/tasks/T' }");
  EXPECT_EQ(ended.outcome(), AttemptEnded::OUTCOME_SUSPENDED);
  EXPECT_EQ(ended.suspended().for_us(), 1'000'000);
  EXPECT_THAT(ended.suspended().tasks(), ElementsAre("tenants/acme/queues/q/tasks/T"));
}

TEST(GatewayFrames, ResultsThatAreNoneAreFailures) {
  for (const auto& [result, code] : std::initializer_list<std::pair<std::string, int>>{
           {"", 13},
           {"output { data: '123456789' }", 8},
           {"suspension { tasks: 'tenants/other/queues/q/tasks/T' }", 5},
           {"suspension { tasks: 'T' }", 5}}) {
    const AttemptEnded ended = EndOf(result);
    EXPECT_EQ(ended.outcome(), AttemptEnded::OUTCOME_FAILED) << result;
    EXPECT_EQ(ended.error().code(), code) << result;
  }
  // A clock that is ahead is not believed.
  EXPECT_EQ(EndOf("cancelled { } end_time { seconds: 2000 }").end_time_us(), kNow);
}

TEST(GatewayFrames, ReportsAreSignsOfLife) {
  const internal::v1::WorkerFrame frame =
      FrameOf(Parse<v1::ConnectWorkerRequest>("reports { attempt: '0000000000000001' progress: 7 "
                                              "message: 'm' checkpoint: 'c' } "
                                              "reports { attempt: '0000000000000002' } "
                                              "reports { attempt: 'none' } draining: true"),
              kWorker, kNow);
  ASSERT_EQ(frame.progress_size(), 1);
  EXPECT_EQ(frame.progress(0).fraction(), 1);
  EXPECT_EQ(frame.progress(0).message(), "m");
  ASSERT_EQ(frame.heartbeats_size(), 2);
  EXPECT_EQ(frame.heartbeats(0).checkpoint(), "c");
  EXPECT_FALSE(frame.heartbeats(1).has_checkpoint());
  EXPECT_TRUE(frame.draining());
}

TEST(GatewayFrames, StartsAreOfTheTenantsFunctions) {
  v1::ConnectWorkerResponse response;
  AddFrame(Parse<internal::v1::ControlFrame>(
               "start { attempt: 42 task: 'tenants/acme/queues/q/tasks/T' function: 'acme/resize' "
               "input: '[1]' number: 3 timeout_ms: 1500 labels { key: 'a' value: 'b' } "
               "checkpoint: 'c' traceparent: 'p' tracestate: 's' } "
               "start { attempt: 43 function: 'acme/resize' input_payload { file: 'P' } } "
               "cancel { attempt: 44 reason: 'why' } acknowledged: 45"),
           "acme", response);
  ASSERT_EQ(response.starts_size(), 2);
  const v1::AttemptStart& start = response.starts(0);
  EXPECT_EQ(start.attempt(), "000000000000002a");
  EXPECT_EQ(start.function(), "resize");
  EXPECT_EQ(start.input(), "[1]");
  EXPECT_EQ(start.number(), 3);
  EXPECT_EQ(start.timeout().seconds(), 1);
  EXPECT_EQ(start.labels().at("a"), "b");
  EXPECT_EQ(start.checkpoint(), "c");
  EXPECT_EQ(start.traceparent(), "p");
  EXPECT_EQ(start.tracestate(), "s");
  EXPECT_EQ(response.starts(1).input_payload(), "tenants/acme/payloads/P");
  EXPECT_EQ(response.cancels(0).reason(), "why");
  EXPECT_THAT(response.acknowledged(), ElementsAre("000000000000002d"));
  const internal::v1::WorkerFrame started = StartedOf(response);
  ASSERT_EQ(started.started_size(), 2);
  EXPECT_EQ(started.started(0).attempt(), 42u);
}

}  // namespace
}  // namespace grove::control
