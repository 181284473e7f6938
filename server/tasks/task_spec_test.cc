#include "server/tasks/task_spec.h"

#include <string>
#include <string_view>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

v1::TaskSpec FromText(const std::string& text) {
  v1::TaskSpec spec;
  spec.set_function("echo");
  EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &spec)) << text;
  return spec;
}

absl::Status Check(const v1::TaskSpec& spec) {
  return CheckSpec(spec, "default", {100}, [](std::string_view name) { return name == "echo"; });
}

std::string ReasonFor(const std::string& text) {
  return RefusalReason(Check(FromText(text)));
}

TEST(TaskSpec, AcceptsAMinimalOne) {
  EXPECT_TRUE(Check(FromText("")).ok());
  const AcceptedSpec spec = NormaliseSpec(FromText(""));
  EXPECT_EQ(spec.input, "{}");
  EXPECT_EQ(spec.content_type(), "application/json");
  EXPECT_EQ(ShortQueueName(FromText("")), "default");
  EXPECT_EQ(spec.rare, nullptr) << "most specs have nothing rare";
  EXPECT_EQ(spec.retry().max_attempts, 1);
  EXPECT_TRUE(spec.durable);
}

TEST(TaskSpec, RefusesUnknownFunctions) {
  EXPECT_EQ(ReasonFor("function: 'nope'"), "UNKNOWN_FUNCTION");
  EXPECT_EQ(ReasonFor("function: ''"), "FUNCTION_REQUIRED");
}

TEST(TaskSpec, ChecksJsonInputOnly) {
  EXPECT_EQ(ReasonFor("input: '{'"), "INPUT_NOT_JSON");
  EXPECT_EQ(ReasonFor("input: '{' content_type: 'Application/JSON; charset=utf-8'"),
            "INPUT_NOT_JSON");
  EXPECT_EQ(ReasonFor("input: '{' content_type: 'text/plain'"), "");
  EXPECT_EQ(ReasonFor("input: '{\"a\": [1, null]}'"), "");
  EXPECT_EQ(ReasonFor(R"(input: '"\\ud800"')"), "") << "the grammar alone counts";
  EXPECT_EQ(ReasonFor("input: '1e999'"), "");
  EXPECT_EQ(NormaliseSpec(FromText("content_type: 'text/plain'")).input, "");
  v1::TaskSpec deep = FromText("");
  deep.set_input(std::string(100, '['));
  EXPECT_EQ(RefusalReason(Check(deep)), "INPUT_NOT_JSON");
}

TEST(TaskSpec, BoundsTheInput) {
  v1::TaskSpec spec = FromText("content_type: 'text/plain'");
  spec.set_input(std::string(100, 'x'));
  EXPECT_TRUE(Check(spec).ok());
  spec.set_input(std::string(101, 'x'));
  EXPECT_EQ(RefusalReason(Check(spec)), "INPUT_TOO_LARGE");
}

TEST(TaskSpec, BoundsDelayAndTimeout) {
  EXPECT_EQ(ReasonFor("delay { seconds: -1 }"), "NEGATIVE_DELAY");
  EXPECT_EQ(ReasonFor("delay { nanos: -1 }"), "NEGATIVE_DELAY");
  EXPECT_EQ(ReasonFor("delay { seconds: 31622400 }"), "");
  EXPECT_EQ(ReasonFor("delay { seconds: 31622400 nanos: 1 }"), "DELAY_TOO_LONG");
  EXPECT_EQ(ReasonFor("delay { nanos: 1000000000 }"), "DURATION_INVALID");
  EXPECT_EQ(ReasonFor("timeout { seconds: 86400 }"), "");
  EXPECT_EQ(ReasonFor("timeout { seconds: 86401 }"), "TIMEOUT_TOO_LONG");
  EXPECT_EQ(ReasonFor("timeout { seconds: -1 }"), "NEGATIVE_TIMEOUT");
}

TEST(TaskSpec, BoundsPriorityRequestIdAndLabels) {
  EXPECT_EQ(ReasonFor("priority: 9"), "");
  EXPECT_EQ(ReasonFor("priority: 10"), "PRIORITY_OUT_OF_RANGE");
  EXPECT_EQ(ReasonFor("priority: -1"), "PRIORITY_OUT_OF_RANGE");
  EXPECT_EQ(ReasonFor("request_id: '" + std::string(128, 'r') + "'"), "");
  EXPECT_EQ(ReasonFor("request_id: '" + std::string(129, 'r') + "'"), "REQUEST_ID_INVALID");
  EXPECT_EQ(ReasonFor("request_id: 'a\\nb'"), "REQUEST_ID_INVALID");
  EXPECT_EQ(ReasonFor("labels { key: '' value: 'v' }"), "LABEL_KEY_INVALID");
  EXPECT_EQ(ReasonFor("labels { key: 'k' value: '" + std::string(256, 'v') + "' }"),
            "LABEL_VALUE_TOO_LONG");
  v1::TaskSpec spec = FromText("");
  for (int i = 0; i < 33; ++i) (*spec.mutable_labels())[std::to_string(i)] = "v";
  EXPECT_EQ(RefusalReason(Check(spec)), "TOO_MANY_LABELS");
}

TEST(TaskSpec, TakesQueuesOfItsOwnTenantOnly) {
  EXPECT_EQ(ShortQueueName(FromText("queue: 'tenants/default/queues/mail'")), "mail");
  EXPECT_EQ(ReasonFor("queue: 'tenants/default/queues/mail'"), "");
  EXPECT_EQ(ReasonFor("queue: 'tenants/acme/queues/mail'"), "QUEUE_OF_OTHER_TENANT");
  EXPECT_EQ(ReasonFor("queue: 'A b'"), "QUEUE_NAME_INVALID");
}

TEST(TaskSpec, BoundsTheRetryPolicy) {
  EXPECT_EQ(ReasonFor("retry_policy { max_attempts: 100 backoff_multiplier: 10 }"), "");
  EXPECT_EQ(ReasonFor("retry_policy { max_attempts: 101 }"), "RETRY_POLICY_INVALID");
  EXPECT_EQ(ReasonFor("retry_policy { backoff_multiplier: 0.5 }"), "RETRY_POLICY_INVALID");
  EXPECT_EQ(ReasonFor("retry_policy { backoff_multiplier: nan }"), "RETRY_POLICY_INVALID");
  EXPECT_EQ(ReasonFor("retry_policy { jitter: 1.5 }"), "RETRY_POLICY_INVALID");
  EXPECT_EQ(ReasonFor("retry_policy { jitter: nan }"), "RETRY_POLICY_INVALID");
  EXPECT_EQ(ReasonFor("retry_policy { not_retried_codes: 17 }"), "RETRY_POLICY_INVALID");
  EXPECT_EQ(ReasonFor("retry_policy { not_retried_codes: 0 }"), "RETRY_POLICY_INVALID");
  EXPECT_EQ(ReasonFor("retry_policy { initial_backoff { seconds: 9 } max_backoff { seconds: 8 } }"),
            "RETRY_POLICY_INVALID");
}

TEST(RetryRules, GrowUpToTheirBound) {
  RetryRules rules;
  EXPECT_EQ(rules.BackoffUs(1, 0), kUsPerSecond);
  EXPECT_EQ(rules.BackoffUs(2, 0), 2 * kUsPerSecond);
  EXPECT_EQ(rules.BackoffUs(7, 0), 60 * kUsPerSecond);
  rules.backoff_multiplier = 10;
  EXPECT_EQ(rules.BackoffUs(100, 0), 60 * kUsPerSecond);
}

TEST(RetryRules, AreShorterByWhatJitterAllows) {
  RetryRules rules = NormaliseSpec(FromText("retry_policy { jitter: 0.5 }")).retry();
  EXPECT_EQ(rules.BackoffUs(1, 0), kUsPerSecond);
  EXPECT_EQ(rules.BackoffUs(1, 0.5), kUsPerSecond * 3 / 4);
  EXPECT_EQ(rules.BackoffUs(100, 1), 30 * kUsPerSecond);
  rules.jitter = 0;
  EXPECT_EQ(rules.BackoffUs(1, 1), kUsPerSecond);
  EXPECT_EQ(NormaliseSpec(FromText("")).retry().jitter, kJitterDefault);
}

TEST(RetryRules, KnowTheCodesThatAreFinal) {
  const RetryRules rules =
      NormaliseSpec(FromText("retry_policy { not_retried_codes: [5, 12] }")).retry();
  EXPECT_TRUE(rules.IsFinal(5) && rules.IsFinal(12));
  EXPECT_FALSE(rules.IsFinal(4) || rules.IsFinal(0) || rules.IsFinal(-1) || rules.IsFinal(37));
}

TEST(TaskSpec, BoundsTheOtherTimeouts) {
  EXPECT_EQ(ReasonFor("schedule_to_start_timeout { seconds: 31622400 }"), "");
  EXPECT_EQ(ReasonFor("schedule_to_start_timeout { seconds: 31622401 }"), "TIMEOUT_TOO_LONG");
  EXPECT_EQ(ReasonFor("heartbeat_timeout { seconds: 86401 }"), "TIMEOUT_TOO_LONG");
  EXPECT_EQ(ReasonFor("heartbeat_timeout { seconds: -1 }"), "NEGATIVE_TIMEOUT");
}

TEST(TaskSpec, BoundsUniqueKeys) {
  EXPECT_EQ(ReasonFor("unique_key { key: '" + std::string(128, 'k') + "' }"), "");
  EXPECT_EQ(ReasonFor("unique_key { key: '" + std::string(129, 'k') + "' }"), "UNIQUE_KEY_INVALID");
  EXPECT_EQ(ReasonFor("unique_key { }"), "UNIQUE_KEY_INVALID");
  EXPECT_EQ(ReasonFor("unique_key { key: 'a\\nb' }"), "UNIQUE_KEY_INVALID");
  v1::TaskSpec spec = FromText("unique_key { key: 'k' }");
  spec.mutable_unique_key()->set_on_conflict(static_cast<v1::UniqueKey::OnConflict>(9));
  EXPECT_EQ(RefusalReason(Check(spec)), "UNIQUE_KEY_INVALID");
}

TEST(TaskSpec, SurvivesARoundTrip) {
  const AcceptedSpec accepted = NormaliseSpec(
      FromText("input: '[1]' priority: 3 delay { nanos: 1 } timeout { seconds: 4 } request_id: 'r' "
               "labels { key: 'k' value: 'v' } durability: DURABILITY_VOLATILE "
               "retry_policy { jitter: 0.25 not_retried_codes: 5 } heartbeat_timeout { seconds: 6 }"
               "unique_key { key: 'u' on_conflict: ON_CONFLICT_REFUSE }"
               "schedule_to_start_timeout { seconds: 7 }"));
  EXPECT_EQ(accepted.extras().delay_us, 1);
  v1::TaskSpec once, twice;
  FillSpec(accepted, once);
  FillSpec(NormaliseSpec(v1::TaskSpec(once)), twice);
  EXPECT_EQ(once.ShortDebugString(), twice.ShortDebugString());
  EXPECT_EQ(once.durability(), v1::DURABILITY_VOLATILE);
  EXPECT_EQ(once.retry_policy().jitter(), 0.25);
  EXPECT_EQ(once.unique_key().on_conflict(), v1::UniqueKey::ON_CONFLICT_REFUSE);
  EXPECT_EQ(once.schedule_to_start_timeout().seconds(), 7);
  EXPECT_EQ(once.heartbeat_timeout().seconds(), 6);
}

}  // namespace
}  // namespace grove::tasks
