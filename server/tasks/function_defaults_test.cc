#include "server/tasks/function_defaults.h"

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

constexpr char kFunction[] =
    "retry { max_attempts: 5 initial_backoff { seconds: 2 } max_backoff { seconds: 20 } "
    "backoff_multiplier: 3 jitter: 0.5 not_retried_codes: 5 } queue: 'mail' "
    "heartbeat_timeout_ms: 1500 schedule_to_start_timeout_ms: 60000";

v1::TaskSpec Filled(const std::string& text) {
  internal::v1::FunctionDescription function;
  v1::TaskSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kFunction, &function));
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec));
  FillDefaults(function, spec);
  return spec;
}

TEST(FunctionDefaults, AreForWhatIsUnset) {
  const v1::TaskSpec spec = Filled("");
  EXPECT_EQ(spec.queue(), "mail");
  EXPECT_EQ(spec.retry_policy().max_attempts(), 5);
  EXPECT_EQ(spec.retry_policy().initial_backoff().seconds(), 2);
  EXPECT_EQ(spec.retry_policy().max_backoff().seconds(), 20);
  EXPECT_EQ(spec.retry_policy().backoff_multiplier(), 3);
  EXPECT_EQ(spec.retry_policy().jitter(), 0.5);
  EXPECT_EQ(spec.retry_policy().not_retried_codes(0), 5);
  EXPECT_EQ(spec.heartbeat_timeout().nanos(), 500000000);
  EXPECT_EQ(spec.schedule_to_start_timeout().seconds(), 60);
}

TEST(FunctionDefaults, GiveWayToTheSpec) {
  const v1::TaskSpec spec = Filled(
      "queue: 'bulk' retry_policy { max_attempts: 1 initial_backoff { seconds: 3 } "
      "backoff_multiplier: 1 jitter: 0 } heartbeat_timeout { } "
      "schedule_to_start_timeout { seconds: 1 }");
  EXPECT_EQ(spec.queue(), "bulk");
  EXPECT_EQ(spec.retry_policy().max_attempts(), 1);
  EXPECT_EQ(spec.retry_policy().initial_backoff().seconds(), 3);
  EXPECT_EQ(spec.retry_policy().max_backoff().seconds(), 20);
  EXPECT_EQ(spec.retry_policy().backoff_multiplier(), 1);
  EXPECT_EQ(spec.retry_policy().jitter(), 0);
  EXPECT_EQ(spec.heartbeat_timeout().seconds(), 0) << "none, although the function has one";
  EXPECT_EQ(spec.schedule_to_start_timeout().seconds(), 1);
}

TEST(FunctionDefaults, NeverContradictTheSpec) {
  v1::TaskSpec spec = Filled("retry_policy { max_backoff { seconds: 1 } }");
  EXPECT_EQ(spec.retry_policy().initial_backoff().seconds(), 1);
  spec = Filled("retry_policy { initial_backoff { seconds: 30 } }");
  EXPECT_EQ(spec.retry_policy().max_backoff().seconds(), 30);
}

}  // namespace
}  // namespace grove::tasks
