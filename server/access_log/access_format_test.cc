#include "server/access_log/access_format.h"

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"

namespace grove::access_log {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

class AccessFormatTest : public testing::Test {
 protected:
  AccessFormatTest() : entry_{.request = request_} {
    request_.method = "GET";
    request_.target = "/a?b=c";
    request_.path = "/a";
    request_.query = "b=c";
    request_.peer = "10.0.0.1:51724";
    request_.context.client = "192.0.2.7";
    request_.fields = fields_;
    entry_.status = 200;
    entry_.complete = true;
    entry_.body_bytes = 14;
    entry_.request_bytes = 40;
    entry_.response_bytes = 120;
    entry_.wall = absl::Microseconds(1500);
  }
  std::string Line(std::string_view format) const {
    const absl::StatusOr<AccessFormat> parsed = AccessFormat::Parse(format);
    if (!parsed.ok()) return std::string(parsed.status().message());
    std::string line;
    parsed->Append(entry_, now_, line);
    EXPECT_TRUE(line.ends_with('\n'));
    line.pop_back();
    return line;
  }
  nlohmann::json Json() const {
    std::string line;
    AccessFormat::Json().Append(entry_, now_, line);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    return nlohmann::json::parse(line);
  }

  http::Field fields_[2] = {{"User-Agent", "curl/8"}, {"Referer", "http://x/"}};
  http::Request request_;
  http::AccessEntry entry_;
  const absl::Time now_ = absl::FromUnixMicros(1'700'000'000'123'456);
};

TEST_F(AccessFormatTest, EventletsDefaultWorksAsWritten) {
  EXPECT_THAT(
      Line(kDefaultAccessFormat),
      MatchesRegex(R"(192\.0\.2\.7 - - \[[0-9]+/Nov/2023 [0-9:]+\] "GET /a\?b=c HTTP/1\.1" )"
                   R"(200 14 0\.001500)"));
}

TEST_F(AccessFormatTest, TheFormatOfOpenStacksServicesWorksAsWritten) {
  EXPECT_EQ(Line(R"(%(client_ip)s "%(request_line)s" status: %(status_code)s  )"
                 R"(len: %(body_length)s time: %(wall_seconds).7f)"),
            R"(192.0.2.7 "GET /a?b=c HTTP/1.1" status: 200  len: 14 time: 0.0015000)");
}

TEST_F(AccessFormatTest, EveryKeyHasItsValue) {
  const std::pair<const char*, const char*> cases[] = {
      {"%(client_port)s", "51724"},
      {"%(peer)s", "10.0.0.1:51724"},
      {"%(scheme)s %(method)s %(path)s %(query)s %(protocol)s", "http GET /a b=c HTTP/1.1"},
      {"%(user_agent)s %(referer)s", "curl/8 http://x/"},
      {"%(request_bytes)s %(response_bytes)d", "40 120"},
      {"%(complete)s", "1"},
      {"%(wall_seconds)s %(wall_seconds).0f %(status_code).1f", "0.001500 0 200.0"},
      {"%(time)s", "2023-11-14T22:13:20.123456Z"},
      {"%(route)s%(tenant)s%(request_id)s%(token)s%(host)s", "-----"},
      {"100%% %(method)s%%", "100% GET%"},
  };
  for (const auto& [format, line] : cases) EXPECT_EQ(Line(format), line) << format;
  EXPECT_EQ(Line("%(client_subject)s %(client_fingerprint)s"), "- -");
  const TlsCertificate certificate{.subject = "CN=me,O=a", .fingerprint = "ab"};
  request_.client_certificate = &certificate;
  EXPECT_EQ(Line("%(client_subject)s %(client_fingerprint)s"), "CN=me,O=a ab");
}

TEST_F(AccessFormatTest, WhatIsWrongWithAFormatIsSaidWithItsPlace) {
  EXPECT_EQ(Line("%(method)s %(status)s"),
            "at byte 12: no key 'status'; the keys are time, date_time, client_ip, client_port, "
            "peer, client_subject, client_fingerprint, scheme, request_line, method, path, query, "
            "protocol, host, route, referer, user_agent, request_id, trace_id, tenant, token, "
            "status_code, complete, body_length, request_bytes, response_bytes, wall_seconds");
  EXPECT_EQ(Line("%(wall_second).6f"),
            "at byte 1: no key 'wall_second'; did you mean 'wall_seconds'?");
  EXPECT_EQ(Line("%(path)d"), "at byte 1: 'path' is a text: want %(path)s");
  EXPECT_EQ(Line("plain"), "no %(key)s stands in it");
  for (const char* format : {"%(method)", "%(method", "%s", "%", "%(method)5s", "%(method)x",
                             "%(wall_seconds).f", "%(wall_seconds).6s"}) {
    EXPECT_THAT(Line(format), StartsWith("at byte 1: ")) << format;
  }
}

TEST_F(AccessFormatTest, AClientCannotBreakOutOfItsPlace) {
  fields_[0].value = "a\" 200 \\\x1b[2J\xff\t";
  EXPECT_EQ(Line("%(user_agent)s"), R"(a\" 200 \\\x1b[2J\xff\x09)");
  entry_.refused_line = "GET /\n127.0.0.1 HTTP/1.1";
  EXPECT_EQ(Line("%(request_line)s"), R"(GET /\x0a127.0.0.1 HTTP/1.1)");
}

TEST_F(AccessFormatTest, LongTextsAreCut) {
  const std::string longest(kAccessTextBytesMax, 'a');
  fields_[0].value = longest;
  EXPECT_EQ(Line("%(user_agent)s"), longest);
  const std::string longer = longest + "a";
  fields_[0].value = longer;
  EXPECT_EQ(Line("%(user_agent)s"), longest + "...");
  EXPECT_EQ(Json()["user_agent"], longest);
}

TEST_F(AccessFormatTest, ARequestThatNobodyAnsweredHas499) {
  entry_.status = 0;
  entry_.complete = false;
  EXPECT_EQ(Line("%(status_code)s %(complete)s"), "499 0");
}

TEST_F(AccessFormatTest, AUnixSocketsClientIsUnixWithoutAPort) {
  request_.peer = request_.context.client = "unix:";
  EXPECT_EQ(Line("%(client_ip)s %(client_port)s"), "unix -");
  request_.peer = "[::1]:80";
  EXPECT_EQ(Line("%(client_port)s"), "80");
}

TEST_F(AccessFormatTest, JsonHasNumbersAsNumbersAndLeavesOutWhatIsNot) {
  const nlohmann::json line = Json();
  EXPECT_EQ(line["request_line"], "GET /a?b=c HTTP/1.1");
  EXPECT_EQ(line["status_code"], 200);
  EXPECT_EQ(line["wall_seconds"], 0.0015);
  EXPECT_EQ(line["complete"], true);
  EXPECT_EQ(line["time"], "2023-11-14T22:13:20.123456Z");
  EXPECT_FALSE(line.contains("tenant"));
}

TEST_F(AccessFormatTest, JsonStaysJsonWhateverClientsSend) {
  fields_[0].value = "a\"\\\n\xff\xc3\xa9";
  EXPECT_EQ(Json()["user_agent"], "a\"\\\n\xef\xbf\xbd\xc3\xa9");
}

}  // namespace
}  // namespace grove::access_log
