#include "server/control/spawn_trace.h"

#include <string>

#include "gtest/gtest.h"

namespace grove::control {
namespace {

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kOther[] = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

v1::TaskSpec SpecWith(const CallMetadata& metadata, const std::string& own = "") {
  v1::SpawnTaskRequest request;
  request.mutable_spec()->set_traceparent(own);
  TakeTrace(metadata, request);
  return request.spec();
}

TEST(SpawnTraceTest, TheMetadataIsTheSpecs) {
  const v1::TaskSpec spec = SpecWith({{"traceparent", kParent}, {"tracestate", "a=1 , b=2"}});
  EXPECT_EQ(spec.traceparent(), kParent);
  EXPECT_EQ(spec.tracestate(), "a=1,b=2");
  EXPECT_EQ(SpecWith({}).traceparent(), "");
}

TEST(SpawnTraceTest, WhatTheSpecSaysItselfHolds) {
  const v1::TaskSpec spec = SpecWith({{"traceparent", kParent}, {"tracestate", "a=1"}}, kOther);
  EXPECT_EQ(spec.traceparent(), kOther);
  EXPECT_EQ(spec.tracestate(), "");
}

TEST(SpawnTraceTest, WhatIsMalformedOrThereTwiceIsNotThere) {
  const v1::TaskSpec malformed = SpecWith({{"traceparent", "none"}, {"tracestate", "a=1"}});
  EXPECT_EQ(malformed.traceparent(), "");
  EXPECT_EQ(malformed.tracestate(), "");
  EXPECT_EQ(SpecWith({{"traceparent", kParent}, {"traceparent", kOther}}).traceparent(), "");
  EXPECT_EQ(SpecWith({{"traceparent", kParent}, {"tracestate", "\xff"}}).tracestate(), "");
}

TEST(SpawnTraceTest, OfABatchItIsEachSpecs) {
  v1::BatchSpawnTasksRequest request;
  request.add_specs();
  request.add_specs()->set_traceparent(kOther);
  request.mutable_completion();
  TakeTrace({{"traceparent", kParent}}, request);
  EXPECT_EQ(request.specs(0).traceparent(), kParent);
  EXPECT_EQ(request.specs(1).traceparent(), kOther);
  EXPECT_EQ(request.completion().traceparent(), kParent);
}

TEST(SpawnTraceTest, ARequestWithoutASpecGetsNone) {
  v1::SpawnTaskRequest request;
  TakeTrace({{"traceparent", kParent}}, request);
  EXPECT_FALSE(request.has_spec());
}

}  // namespace
}  // namespace grove::control
