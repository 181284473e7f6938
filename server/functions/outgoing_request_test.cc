#include "server/functions/outgoing_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace grove::functions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

OutgoingRequest Parsed(std::string_view text) {
  absl::StatusOr<OutgoingRequest> request = ParseOutgoingRequest(text);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? *std::move(request) : OutgoingRequest{};
}

std::string ErrorOf(std::string_view text) {
  const absl::Status status = ParseOutgoingRequest(text).status();
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ParseOutgoingRequest, HasDefaults) {
  const OutgoingRequest request = Parsed(R"({"url": "http://a/"})");
  EXPECT_EQ(request.fetch.method, FetchMethod::kGet);
  EXPECT_FALSE(request.signing.has_value());
  for (const int status : {200, 204, 299}) EXPECT_TRUE(request.expected.Has(status)) << status;
  for (const int status : {199, 300, 404}) EXPECT_FALSE(request.expected.Has(status)) << status;
  for (const int status : {408, 429, 500, 599}) EXPECT_TRUE(request.retried.Has(status)) << status;
  for (const int status : {302, 400, 404, 410}) EXPECT_FALSE(request.retried.Has(status)) << status;
}

TEST(ParseOutgoingRequest, TakesABodyInThreeWays) {
  EXPECT_EQ(Parsed(R"({"url": "http://a/", "body": "x"})").fetch.method, FetchMethod::kPost);
  const OutgoingRequest from_json =
      Parsed(R"({"url": "http://a/", "method": "PATCH", "json": {"b": [1, null]}})");
  EXPECT_EQ(from_json.fetch.method, FetchMethod::kPatch);
  EXPECT_EQ(from_json.fetch.body, R"({"b":[1,null]})");
  EXPECT_THAT(from_json.fetch.headers, ElementsAre(Pair("Content-Type", "application/json")));
  EXPECT_EQ(Parsed(R"({"url": "http://a/", "json": null})").fetch.body, "null");
  const OutgoingRequest typed = Parsed(
      R"({"url": "http://a/", "headers": {"content-type": "application/x+json"}, "json": 1})");
  EXPECT_EQ(typed.fetch.headers.size(), 1u);
  EXPECT_EQ(Parsed(R"({"url": "http://a/", "body_base64": "AAE="})").fetch.body,
            std::string("\0\1", 2));
}

TEST(ParseOutgoingRequest, TakesLimitsAndStatuses) {
  const OutgoingRequest request = Parsed(
      R"({"url": "http://a/", "timeout_s": 1.5, "response_bytes_max": 10, "redirects_max": 0,
          "expect_status": [200, "3xx"], "retry_status": ["404"]})");
  EXPECT_EQ(request.fetch.limits.timeout, absl::Milliseconds(1500));
  EXPECT_EQ(request.fetch.limits.body_max_bytes, 10u);
  EXPECT_EQ(request.fetch.limits.redirects_max, 0);
  EXPECT_FALSE(request.expected.Has(204));
  EXPECT_TRUE(request.expected.Has(304));
  EXPECT_TRUE(request.retried.Has(404));
  EXPECT_FALSE(request.retried.Has(500));
}

TEST(ParseOutgoingRequest, TakesHowToSign) {
  const OutgoingRequest request =
      Parsed(R"({"url": "http://a/", "sign": {"secret": "s", "scheme": "body_sha256"}})");
  EXPECT_EQ(request.signing->secret, "s");
  EXPECT_EQ(request.signing->header, "X-Signature-256");
  EXPECT_EQ(Parsed(R"({"url": "http://a/", "sign": {"secret": "s"}})").signing->scheme,
            RequestSigning::Scheme::kStandardWebhooks);
}

TEST(ParseOutgoingRequest, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"([])", "input: expected a JSON object, not array"},
      {R"({})", "url: missing"},
      {R"({"url": "ftp://a/"})", "url: "},
      {R"({"url": "http://a/", "colour": 1})", "\"colour\": unknown field; there are url, method"},
      {R"({"url": "http://a/", "method": "get"})", "method: \"get\" is not GET, HEAD"},
      {R"({"url": "http://a/", "body": "x", "json": 1})", "body: want one of body, json"},
      {R"({"url": "http://a/", "body_base64": "*"})", "body_base64: is no base64"},
      {R"({"url": "http://a/", "headers": {"A": 1}})", "headers: names and values must be"},
      {R"({"url": "http://a/", "expect_status": 200})", "expect_status: expected a list"},
      {R"({"url": "http://a/", "expect_status": []})", "expect_status: expected a list"},
      {R"({"url": "http://a/", "expect_status": [600]})", "expect_status: 600 is no status"},
      {R"({"url": "http://a/", "retry_status": ["2x"]})", "retry_status: \"2x\" is no status"},
      {R"({"url": "http://a/", "timeout_s": "1"})", "timeout_s: expected a number, not string"},
      {R"({"url": "http://a/", "timeout_s": 0})", "timeout_s: 0 is not between 0.001 and 86400"},
      {R"({"url": "http://a/", "redirects_max": 101})", "redirects_max: 101 is not between"},
      {R"({"url": "http://a/", "sign": "s"})", "sign: expected an object with a secret's name"},
      {R"({"url": "http://a/", "sign": {}})", "sign: secret: missing"},
      {R"({"url": "http://a/", "sign": {"secret": "s", "key": 1}})", "sign: unknown field \"key\""},
      {R"({"url": "http://a/", "sign": {"secret": "s", "scheme": "md5"}})", "sign: scheme: want"},
      {R"({"url": "http://a/", "sign": {"secret": "s", "header": "X"}})",
       "sign: header: the names"},
  };
  for (const auto& [text, error] : kCases) EXPECT_THAT(ErrorOf(text), HasSubstr(error)) << text;
}

}  // namespace
}  // namespace grove::functions
