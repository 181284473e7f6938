#include "runtime/trace/span.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/trace/span_fixture.h"

namespace grove {
namespace {

class SpanTest : public HubTest {
 protected:
  KeptSpans kept_;
  Tracer tracer_{kept_, 1'000'000};
};

TEST_F(SpanTest, ASpanHasItsParentsTraceAndState) {
  Run([&] {
    Span span(&tracer_, CallersTrace(), SpanKind::kServer);
    span.set_name("GET /");
    span.Set("count", 7);
    span.Set("new", true);
    span.Set("text", "seven");
  });
  ASSERT_EQ(kept_.spans.size(), 1u);
  const SpanRecord& span = kept_.spans[0];
  EXPECT_EQ(span.context.trace, CallersTrace().trace);
  EXPECT_EQ(span.parent, CallersTrace().span);
  EXPECT_NE(span.context.span, CallersTrace().span);
  EXPECT_EQ(*span.context.state, "a=1");
  EXPECT_EQ(span.name, "GET /");
  ASSERT_EQ(span.attributes.size(), 3u);
  EXPECT_EQ(std::get<int64_t>(span.attributes[0].second), 7);
  EXPECT_EQ(std::get<bool>(span.attributes[1].second), true);
  EXPECT_EQ(std::get<std::string>(span.attributes[2].second), "seven");
  EXPECT_FALSE(span.failed);
  EXPECT_LE(span.start, span.end);
}

TEST_F(SpanTest, WithoutAParentATraceBegins) {
  Run([&] {
    const Span first(&tracer_, {}, SpanKind::kServer);
    const Span second(&tracer_, {}, SpanKind::kServer);
    EXPECT_NE(first.context().trace, second.context().trace);
  });
  ASSERT_EQ(kept_.spans.size(), 2u);
  EXPECT_EQ(kept_.spans[0].parent, 0u);
  EXPECT_TRUE(kept_.spans[0].context.valid());
}

TEST_F(SpanTest, ATraceThatIsGivenBeginsUnderItsId) {
  TraceContext given;
  given.trace = {5, 6};
  Run([&] { const Span span(&tracer_, given, SpanKind::kConsumer); });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_EQ(kept_.spans[0].context.trace, given.trace);
  EXPECT_EQ(kept_.spans[0].parent, 0u);
}

TEST_F(SpanTest, WhatItsCallerDidNotSampleIsNotTold) {
  Run([&] {
    Span span(&tracer_, CallersTrace(/*sampled=*/false), SpanKind::kServer);
    EXPECT_FALSE(span.recording());
    EXPECT_TRUE(span.context().valid());
    EXPECT_FALSE(span.context().sampled);
  });
  EXPECT_TRUE(kept_.spans.empty());
}

TEST_F(SpanTest, WhatItsCallerSampledIsToldWhateverTheOwnRatio) {
  Tracer none(kept_, 0);
  Run([&] {
    const Span from_outside(&none, CallersTrace(), SpanKind::kServer);
    const Span own(&none, {}, SpanKind::kServer);
    EXPECT_TRUE(from_outside.recording());
    EXPECT_FALSE(own.recording());
  });
}

TEST_F(SpanTest, OfTracesThatBeginHereTheRatioIsTold) {
  Tracer some(kept_, 250'000);
  int sampled = 0;
  // Ids that follow each other, as tasks have: the ratio holds of them, too.
  for (uint64_t id = 1; id <= 10'000; ++id) {
    TraceContext given;
    given.trace = {7, id};
    const bool told = some.Begin(given).sampled;
    EXPECT_EQ(told, some.Begin(given).sampled);
    sampled += told ? 1 : 0;
  }
  EXPECT_GT(sampled, 2'200);
  EXPECT_LT(sampled, 2'800);
}

TEST_F(SpanTest, WithoutATracerAContextIsPassedOnAsItIs) {
  Run([&] {
    const Span span(nullptr, CallersTrace(), SpanKind::kServer);
    EXPECT_FALSE(span.recording());
    EXPECT_EQ(span.context().span, CallersTrace().span);
    const TraceScope scope(span.context(), span.tracer());
    ASSERT_NE(CurrentTrace::Find(), nullptr);
    EXPECT_EQ(CurrentTrace::Find()->context.span, CallersTrace().span);
  });
}

TEST_F(SpanTest, ScopesNestAndEnd) {
  Run([&] {
    EXPECT_EQ(CurrentTrace::Find(), nullptr);
    {
      const TraceScope outer(CallersTrace(), &tracer_);
      const uint64_t before = CurrentTrace::Find()->context.span;
      {
        SpanScope inner("inner");
        EXPECT_NE(CurrentTrace::Find()->context.span, before);
        const TraceScope none;
        EXPECT_EQ(CurrentTrace::Find(), nullptr);
      }
      EXPECT_EQ(CurrentTrace::Find()->context.span, before);
    }
    EXPECT_EQ(CurrentTrace::Find(), nullptr);
  });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_EQ(kept_.spans[0].parent, CallersTrace().span);
  EXPECT_EQ(kept_.spans[0].name, "inner");
}

TEST_F(SpanTest, AFiberWorksForItsSpawnersTraceAsOfTheSpawn) {
  Run([&] {
    FiberHandle child;
    {
      const TraceScope scope(CallersTrace(), &tracer_);
      child = *Spawn("child", [&] { SpanScope span("of the child"); });
    }
    EXPECT_TRUE(child.Join().ok());
  });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_EQ(kept_.spans[0].parent, CallersTrace().span);
}

TEST_F(SpanTest, OutsideOfATraceASpanIsNone) {
  Run([&] {
    SpanScope span("of nobody");
    EXPECT_FALSE(span->recording());
    EXPECT_EQ(CurrentTrace::Find(), nullptr);
  });
  EXPECT_EQ(CurrentTrace::Find(), nullptr);
}

TEST_F(SpanTest, AFailureIsToldWithItsKind) {
  Run([&] {
    Span span(&tracer_, {}, SpanKind::kInternal);
    span.Fail(absl::NotFoundError("no such order"));
  });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_TRUE(kept_.spans[0].failed);
  EXPECT_EQ(kept_.spans[0].error, "no such order");
  EXPECT_EQ(AttributeOf(kept_.spans[0], "error.type"), "NOT_FOUND");
}

}  // namespace
}  // namespace grove
