#include "server/http/serving/request_trace.h"

#include <string>

#include "gmock/gmock.h"
#include "runtime/trace/span_fixture.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

constexpr char kTraceparentField[] =
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
constexpr char kTraceHex[] = "4bf92f3577b34da6a3ce929d0e0e4736";

class RequestTraceTest : public ServerFixture {
 protected:
  // Asks a handler that answers with its trace id, and what its fiber works for.
  std::string Ask(const std::string& fields, const std::string& line = "GET /a/b HTTP/1.1") {
    std::string answer;
    Handle("", "/a/{name}", [](Request& request, Response& response) {
      const CurrentTrace* const current = CurrentTrace::Find();
      const std::string works_for =
          current == nullptr ? "none" : FormatTraceparent(current->context);
      return response.Send(200, "text/plain",
                           std::string(request.context.trace_id) + " " + works_for);
    });
    Run([&] {
      Client client = Connect();
      answer = client.Ask(line + "\r\nHost: a\r\nConnection: close\r\n" + fields + "\r\n");
    });
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  KeptSpans kept_;
  Tracer tracer_{kept_, 1'000'000};
};

TEST_F(RequestTraceTest, ARequestIsASpanOfTheTraceThatItsClientNames) {
  options_.tracer = &tracer_;
  const std::string said = Ask(std::string(kTraceparentField) +
                               "tracestate: a=1\r\ntracestate: b=2\r\n"
                               "User-Agent: test\r\n");
  ASSERT_EQ(kept_.spans.size(), 1u);
  const SpanRecord& span = kept_.spans[0];
  EXPECT_EQ(said, std::string(kTraceHex) + " " + FormatTraceparent(span.context));
  EXPECT_EQ(span.parent, CallersTrace().span);
  EXPECT_EQ(*span.context.state, "a=1,b=2");
  EXPECT_EQ(span.kind, SpanKind::kServer);
  EXPECT_EQ(span.name, "GET /a/{name}");
  EXPECT_EQ(AttributeOf(span, "http.request.method"), "GET");
  EXPECT_EQ(AttributeOf(span, "url.path"), "/a/b");
  EXPECT_EQ(AttributeOf(span, "url.scheme"), "http");
  EXPECT_EQ(AttributeOf(span, "http.route"), "/a/{name}");
  EXPECT_EQ(AttributeOf(span, "server.address"), "a");
  EXPECT_EQ(AttributeOf(span, "user_agent.original"), "test");
  EXPECT_EQ(AttributeOf(span, "http.response.status_code"), "200");
  EXPECT_FALSE(span.failed);
}

TEST_F(RequestTraceTest, WithoutATracerTheClientsContextIsPassedOn) {
  EXPECT_EQ(Ask(kTraceparentField),
            std::string(kTraceHex) + " " + FormatTraceparent(CallersTrace()));
}

TEST_F(RequestTraceTest, WithoutATracerAndATraceThereIsNone) {
  EXPECT_EQ(Ask(""), " none");
}

TEST_F(RequestTraceTest, WhatIsMalformedBeginsATrace) {
  options_.tracer = &tracer_;
  Ask("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7\r\n");
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_EQ(kept_.spans[0].parent, 0u);
  EXPECT_NE(FormatTraceId(kept_.spans[0].context.trace), kTraceHex);
}

TEST_F(RequestTraceTest, TwoTraceparentsAreNone) {
  EXPECT_EQ(Ask(std::string(kTraceparentField) + kTraceparentField), " none");
}

TEST_F(RequestTraceTest, AnUnknownMethodIsNoNameOfASpan) {
  options_.tracer = &tracer_;
  Ask("", "BREW /a/pot HTTP/1.1");
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_EQ(kept_.spans[0].name, "HTTP /a/{name}");
  EXPECT_EQ(AttributeOf(kept_.spans[0], "http.request.method"), "_OTHER");
  EXPECT_EQ(AttributeOf(kept_.spans[0], "http.request.method_original"), "BREW");
}

TEST_F(RequestTraceTest, AHandlerThatFailsIsToldWithItsStatus) {
  options_.tracer = &tracer_;
  Handle("GET", "/", [](Request&, Response&) { return absl::InternalError("no"); });
  Run([&] {
    Client client = Connect();
    client.Ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  });
  ASSERT_EQ(kept_.spans.size(), 1u);
  EXPECT_TRUE(kept_.spans[0].failed);
  EXPECT_EQ(AttributeOf(kept_.spans[0], "error.type"), "500");
}

TEST_F(RequestTraceTest, RequestsOfAConnectionHaveTracesOfTheirOwn) {
  options_.tracer = &tracer_;
  Handle("GET", "/", [](Request&, Response& response) { return response.Send(204, "", ""); });
  Run([&] {
    Client client = Connect();
    const std::string traced = std::string("GET / HTTP/1.1\r\nHost: a\r\n") + kTraceparentField;
    client.Send(traced + "\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.ReadAll(), HasSubstr("204"));
  });
  ASSERT_EQ(kept_.spans.size(), 2u);
  EXPECT_EQ(FormatTraceId(kept_.spans[0].context.trace), kTraceHex);
  EXPECT_NE(FormatTraceId(kept_.spans[1].context.trace), kTraceHex);
  EXPECT_EQ(kept_.spans[1].parent, 0u);
}

}  // namespace
}  // namespace grove::http
