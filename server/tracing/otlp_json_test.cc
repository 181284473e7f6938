#include "server/tracing/otlp_json.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace grove::tracing {
namespace {

using nlohmann::json;

const SpanResource kResource{.service = "shop", .instance = "host:17", .host = "host", .pid = 17};

std::unique_ptr<SpanRecord> Record() {
  auto span = std::make_unique<SpanRecord>();
  span->context.trace = {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736};
  span->context.span = 0xf067aa0ba902b7;
  span->kind = SpanKind::kServer;
  span->name = "GET /hello";
  span->start = absl::FromUnixNanos(1'700'000'000'000'000'001);
  span->end = absl::FromUnixNanos(1'700'000'000'000'000'002);
  return span;
}

json Told(std::unique_ptr<SpanRecord> span) {
  std::vector<std::unique_ptr<SpanRecord>> spans;
  spans.push_back(std::move(span));
  return json::parse(FormatOtlp(kResource, spans))["resourceSpans"][0];
}

json TheSpan(std::unique_ptr<SpanRecord> span) {
  return Told(std::move(span))["scopeSpans"][0]["spans"][0];
}

TEST(OtlpJsonTest, ASpanIsWrittenAsTheProtocolSays) {
  auto span = Record();
  span->parent = 0xff;
  span->context.state = std::make_shared<const std::string>("a=1,b=2");
  span->attributes = {{"http.response.status_code", int64_t{200}},
                      {"url.path", std::string("/hello")},
                      {"new", true}};
  EXPECT_EQ(TheSpan(std::move(span)), json::parse(R"({
      "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7",
      "parentSpanId": "00000000000000ff", "traceState": "a=1,b=2", "name": "GET /hello",
      "kind": 2, "startTimeUnixNano": "1700000000000000001",
      "endTimeUnixNano": "1700000000000000002",
      "attributes": [
        {"key": "http.response.status_code", "value": {"intValue": "200"}},
        {"key": "url.path", "value": {"stringValue": "/hello"}},
        {"key": "new", "value": {"boolValue": true}}]})"));
}

TEST(OtlpJsonTest, TheFirstSpanOfATraceHasNoParent) {
  const json span = TheSpan(Record());
  EXPECT_FALSE(span.contains("parentSpanId"));
  EXPECT_FALSE(span.contains("status"));
}

TEST(OtlpJsonTest, AFailureIsAStatus) {
  auto span = Record();
  span->failed = true;
  span->error = "no \"such\" host";
  EXPECT_EQ(TheSpan(std::move(span))["status"],
            json::parse(R"({"code": 2, "message": "no \"such\" host"})"));
  auto silent = Record();
  silent->failed = true;
  EXPECT_EQ(TheSpan(std::move(silent))["status"], json::parse(R"({"code": 2})"));
}

TEST(OtlpJsonTest, TheResourceSaysWhoseSpansTheyAre) {
  const json told = Told(Record());
  const json& attributes = told["resource"]["attributes"];
  EXPECT_EQ(attributes[0], json::parse(R"({"key": "service.name",
                                           "value": {"stringValue": "shop"}})"));
  EXPECT_EQ(attributes[1]["value"]["stringValue"], "host:17");
  EXPECT_EQ(attributes[2]["value"]["stringValue"], "host");
  EXPECT_EQ(attributes[3]["value"]["intValue"], "17");
}

TEST(OtlpJsonTest, WhatIsNoUtf8OrTooLongIsStillJson) {
  auto span = Record();
  span->name = "GET /\xff\x01\n\"\\";
  span->attributes = {{"text", std::string(3 * kSpanTextBytesMax, 'x')}};
  const json told = TheSpan(std::move(span));
  EXPECT_EQ(told["name"], "GET /\xef\xbf\xbd\x01\n\"\\");
  EXPECT_EQ(told["attributes"][0]["value"]["stringValue"].get<std::string>().size(),
            kSpanTextBytesMax);
}

TEST(OtlpJsonTest, SeveralSpansStandInOneCall) {
  std::vector<std::unique_ptr<SpanRecord>> spans;
  for (int i = 0; i < 3; ++i) spans.push_back(Record());
  const json told = json::parse(FormatOtlp(kResource, spans));
  EXPECT_EQ(told["resourceSpans"][0]["scopeSpans"][0]["spans"].size(), 3u);
}

TEST(OtlpJsonTest, WhatTheCollectorRejectsIsRead) {
  const RejectedSpans some =
      ParseRejected(R"({"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}})");
  EXPECT_EQ(some.count, 3u);
  EXPECT_EQ(some.why, "too old");
  EXPECT_EQ(ParseRejected(R"({"partialSuccess": {"rejectedSpans": 2}})").count, 2u);
  for (const char* none : {"", "{}", "[]", R"({"partialSuccess": null})", "<html>",
                           R"({"partialSuccess": {"rejectedSpans": "many"}})"}) {
    EXPECT_EQ(ParseRejected(none).count, 0u) << none;
  }
}

}  // namespace
}  // namespace grove::tracing
