#include "server/worker/attempt_trace.h"

#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/trace/span_fixture.h"

namespace grove::worker {
namespace {

using internal::v1::AttemptEnded;

constexpr char kTask[] = "tenants/acme/queues/mail/tasks/01J0000000000000000000000A";

class AttemptTraceTest : public HubTest {
 protected:
  static internal::v1::StartAttempt Order(int number = 1, const std::string& task = kTask) {
    internal::v1::StartAttempt start;
    start.set_task(task);
    start.set_tenant("acme");
    start.set_function("send");
    start.set_number(number);
    return start;
  }
  static internal::v1::StartAttempt Traced(int number = 1) {
    internal::v1::StartAttempt start = Order(number);
    start.set_traceparent(FormatTraceparent(CallersTrace()));
    start.set_tracestate("a=1");
    return start;
  }
  // An attempt that ends so.
  void Attempt(Tracer* tracer, const internal::v1::StartAttempt& start,
               AttemptEnded::Outcome outcome = AttemptEnded::OUTCOME_SUCCEEDED) {
    AttemptTrace trace(tracer, start);
    const CurrentTrace* const current = CurrentTrace::Find();
    works_for_ = current == nullptr ? "none" : FormatTraceparent(current->context);
    AttemptEnded end;
    end.set_outcome(outcome);
    if (outcome == AttemptEnded::OUTCOME_FAILED) {
      end.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
      end.mutable_error()->set_message("no such mailbox");
    }
    trace.NoteEnd(end);
  }

  KeptSpans kept_;
  Tracer tracer_{kept_, 1'000'000};
  std::string works_for_;
};

TEST_F(AttemptTraceTest, AnAttemptIsASpanOfItsSpawnersTrace) {
  Run([&] { Attempt(&tracer_, Traced(2)); });
  ASSERT_EQ(kept_.spans.size(), 1u);
  const SpanRecord& span = kept_.spans[0];
  EXPECT_EQ(works_for_, FormatTraceparent(span.context));
  EXPECT_EQ(span.kind, SpanKind::kConsumer);
  EXPECT_EQ(span.name, "send");
  EXPECT_EQ(span.context.trace, CallersTrace().trace);
  EXPECT_EQ(*span.context.state, "a=1");
  EXPECT_EQ(span.parent, CallersTrace().span);
  EXPECT_EQ(AttributeOf(span, "grove.task"), kTask);
  EXPECT_EQ(AttributeOf(span, "grove.function"), "send");
  EXPECT_EQ(AttributeOf(span, "grove.tenant"), "acme");
  EXPECT_EQ(AttributeOf(span, "grove.attempt"), "2");
  EXPECT_EQ(AttributeOf(span, "grove.outcome"), "succeeded");
  EXPECT_EQ(AttributeOf(span, "messaging.destination.name"), "mail");
  EXPECT_FALSE(span.failed);
}

TEST_F(AttemptTraceTest, AllAttemptsOfATaskThatNobodysTraceSpawnedAreOne) {
  Run([&] {
    Attempt(&tracer_, Order(1));
    Attempt(&tracer_, Order(2));
    Attempt(&tracer_, Order(1, "tenants/acme/queues/mail/tasks/01J0000000000000000000000B"));
  });
  ASSERT_EQ(kept_.spans.size(), 3u);
  EXPECT_EQ(kept_.spans[0].context.trace, kept_.spans[1].context.trace);
  EXPECT_NE(kept_.spans[0].context.trace, kept_.spans[2].context.trace);
  EXPECT_NE(kept_.spans[0].context.span, kept_.spans[1].context.span);
  for (const SpanRecord& span : kept_.spans) EXPECT_EQ(span.parent, 0u);
}

TEST_F(AttemptTraceTest, WithoutATracerTheSpawnersContextIsPassedOn) {
  Run([&] {
    Attempt(nullptr, Traced());
    EXPECT_EQ(works_for_, FormatTraceparent(CallersTrace()));
    Attempt(nullptr, Order());
    EXPECT_EQ(works_for_, "none");
  });
}

TEST_F(AttemptTraceTest, AnAttemptThatFailsIsToldWithItsError) {
  Run([&] { Attempt(&tracer_, Traced(), AttemptEnded::OUTCOME_FAILED); });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_TRUE(kept_.spans[0].failed);
  EXPECT_EQ(kept_.spans[0].error, "no such mailbox");
  EXPECT_EQ(AttributeOf(kept_.spans[0], "error.type"), "NOT_FOUND");
}

TEST_F(AttemptTraceTest, OneThatSuspendsItselfHasNotFailed) {
  Run([&] { Attempt(&tracer_, Traced(), AttemptEnded::OUTCOME_SUSPENDED); });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_FALSE(kept_.spans[0].failed);
  EXPECT_EQ(AttributeOf(kept_.spans[0], "grove.outcome"), "suspended");
}

TEST_F(AttemptTraceTest, AnExceptionIsAFailure) {
  Run([&] { const AttemptTrace thrown(&tracer_, Traced()); });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_EQ(AttributeOf(kept_.spans[0], "error.type"), "exception");
}

}  // namespace
}  // namespace grove::worker
