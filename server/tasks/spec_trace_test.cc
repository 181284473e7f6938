#include "server/tasks/spec_trace.h"

#include <string>
#include <vector>

#include "server/tasks/engine_fixture.h"
#include "server/tasks/webhook.h"

namespace grove::tasks {
namespace {

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kOther[] = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

v1::TaskSpec SpecOf(const std::string& parent, const std::string& state = "") {
  v1::TaskSpec spec;
  spec.set_traceparent(parent);
  spec.set_tracestate(state);
  return spec;
}

TEST(SpecTraceTest, ATraceparentIsCheckedAndATracestateGoesWithOne) {
  EXPECT_TRUE(CheckTrace(SpecOf("")).ok());
  EXPECT_TRUE(CheckTrace(SpecOf(kParent)).ok());
  EXPECT_TRUE(CheckTrace(SpecOf(kParent, "malformed")).ok());
  EXPECT_EQ(RefusalReason(CheckTrace(SpecOf("none"))), "TRACEPARENT_INVALID");
  EXPECT_EQ(RefusalReason(CheckTrace(SpecOf("", "a=1"))), "TRACEPARENT_INVALID");
}

TEST(SpecTraceTest, WhatIsKeptIsOfTheFirstVersionAndWellFormed) {
  EXPECT_EQ(NormaliseTrace(SpecOf("")), nullptr);
  const auto later = NormaliseTrace(SpecOf("01" + std::string(kParent).substr(2) + "-more"));
  ASSERT_NE(later, nullptr);
  EXPECT_EQ(later->parent, kParent);
  EXPECT_EQ(NormaliseTrace(SpecOf(kParent, "malformed"))->state, "");
  EXPECT_EQ(NormaliseTrace(SpecOf(kParent, "a=1, b=2"))->state, "a=1,b=2");
}

class SpecTraceEngineTest : public EngineTest {
 protected:
  internal::v1::StartAttempt Start() {
    Tick();
    const auto starts = TakeStarts();
    EXPECT_EQ(starts.size(), 1u);
    return starts.empty() ? internal::v1::StartAttempt() : starts[0];
  }
  static std::string Traced(const std::string& more = "", const std::string& parent = kParent) {
    return StrCat("traceparent: '", parent, "' tracestate: 'a=1' ", more);
  }
};

TEST_F(SpecTraceEngineTest, EveryAttemptHearsOfIt) {
  Up(0);
  const std::string name = Spawn(Traced("retry_policy { max_attempts: 2 } input: '[1]'"));
  const auto first = Start();
  EXPECT_EQ(first.traceparent(), kParent);
  EXPECT_EQ(first.tracestate(), "a=1");
  End(first.attempt(), Outcome::OUTCOME_FAILED);
  Tick(60);
  const auto second = Start();
  EXPECT_EQ(second.number(), 2);
  EXPECT_EQ(second.traceparent(), kParent);
  EXPECT_EQ(Get(name).spec().traceparent(), kParent);
  EXPECT_EQ(Get(name).spec().tracestate(), "a=1");
}

TEST_F(SpecTraceEngineTest, ItLastsOverARestart) {
  Up(0, 0);
  Spawn(Traced("durability: DURABILITY_DURABLE input: '[1]'"));
  Persist();
  const std::vector<StoredTask> stored = Disk();
  Make("", 2);
  Recover(stored);
  Up(0);
  const auto start = Start();
  EXPECT_EQ(start.traceparent(), kParent);
  EXPECT_EQ(start.tracestate(), "a=1");
}

TEST_F(SpecTraceEngineTest, ATaskWithoutOneHasNone) {
  Up(0);
  const std::string name = Spawn("input: '[1]'");
  EXPECT_EQ(Start().traceparent(), "");
  EXPECT_EQ(Get(name).spec().traceparent(), "");
}

TEST_F(SpecTraceEngineTest, ARequestThatIsRepeatedInAnotherTraceIsTheSame) {
  Up(0);
  const std::string name = Spawn(Traced("request_id: 'r' input: '[1]'"));
  EXPECT_EQ(Spawn(Traced("request_id: 'r' input: '[1]'", kOther)), name);
  EXPECT_EQ(Get(name).spec().traceparent(), kParent);
}

TEST_F(SpecTraceEngineTest, AWebhookIsPartOfItsTasksTrace) {
  v1::TaskSpec spec = SpecOf(kParent, "a=1");
  spec.mutable_webhook()->set_url("https://example.com/hook");
  const v1::TaskSpec hook = WebhookSpec(spec, "tenants/default/queues/default/tasks/1");
  EXPECT_EQ(hook.traceparent(), kParent);
  EXPECT_EQ(hook.tracestate(), "a=1");
}

}  // namespace
}  // namespace grove::tasks
