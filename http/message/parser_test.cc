#include "http/message/parser.h"

#include <fstream>
#include <random>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/message/parser_transcript.h"
#include "nlohmann/json.hpp"

namespace grove::http {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

// Longer streams are split at random instead of everywhere.
constexpr size_t kSplitEverywhereBytesMax = 2048;
constexpr unsigned kSeed = 20240607;

json ReadJson(const std::string& name) {
  std::ifstream file("http/message/testdata/" + name);
  return json::parse(file);
}

using Lines = std::vector<std::string>;

Lines Whole(std::string_view stream) {
  return ReadStream(stream, [&] { return stream.size() + 1; }).Lines();
}

Lines ByteByByte(std::string_view stream) {
  return ReadStream(stream, [] { return 1; }).Lines();
}

Lines SplitAt(std::string_view stream, size_t at) {
  bool first = true;
  return ReadStream(stream, [&] { return std::exchange(first, false) ? at : stream.size(); })
      .Lines();
}

void ExpectSameAtEverySplit(std::string_view stream, const Lines& whole) {
  EXPECT_EQ(ByteByByte(stream), whole) << "byte by byte";
  std::mt19937 random(kSeed);
  if (stream.size() <= kSplitEverywhereBytesMax) {
    for (size_t at = 1; at < stream.size(); ++at) EXPECT_EQ(SplitAt(stream, at), whole) << at;
  } else {
    for (int i = 0; i < 50; ++i) {
      const size_t at = 1 + random() % (stream.size() - 1);
      EXPECT_EQ(SplitAt(stream, at), whole) << at;
    }
  }
  for (int i = 0; i < 20; ++i) {
    auto pieces = [&] { return 1 + random() % 40; };
    EXPECT_EQ(ReadStream(stream, pieces).Lines(), whole) << "round " << i << ", seed " << kSeed;
  }
}

TEST(RequestParser, MakesOfEachStreamWhatTheTableSaysAtEverySplit) {
  const json cases = ReadJson("requests.json");
  ASSERT_GT(cases.size(), 100);
  for (const json& test : cases) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const auto stream = test["stream"].get<std::string>();
    const auto expected = test["expect"].get<Lines>();
    EXPECT_EQ(Whole(stream), expected);
    ExpectSameAtEverySplit(stream, expected);
  }
}

std::string Decode(const json& value) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(value.get<std::string>(), &bytes));
  return bytes;
}

std::string StreamOf(const json& test) {
  return Decode(test.contains("with_host_b64") ? test["with_host_b64"] : test["bytes_b64"]);
}

bool HasFlag(const json& test, std::string_view flag) {
  for (const json& each : test["flags"]) {
    if (each.get<std::string>().starts_with(flag)) return true;
  }
  return false;
}

TEST(RequestParser, MakesTheSameOfTheGunicornStreamsAtEverySplit) {
  const json corpus = ReadJson("gunicorn.json");
  ASSERT_GT(corpus["cases"].size(), 100);
  for (const json& test : corpus["cases"]) {
    SCOPED_TRACE(test["id"].get<std::string>());
    const std::string stream = StreamOf(test);
    ExpectSameAtEverySplit(stream, Whole(stream));
  }
}

void ExpectEqual(const ParsedRequest& parsed, const json& expected) {
  EXPECT_EQ(parsed.method, expected["method"]);
  // The corpus shows bytes above 0x7f as Latin-1.
  const auto raw = expected["uri"]["raw"].get<std::string>();
  if (raw.find('\xc3') == std::string::npos) {
    EXPECT_EQ(parsed.target, raw);
  }
  EXPECT_EQ(parsed.version_minor, expected["version"][1]);
  EXPECT_EQ(parsed.body, Decode(expected["body_b64"]));
  EXPECT_EQ(parsed.trailers.size(), expected["trailers"].size());
}

// Valid to gunicorn alone: told so by options, or where this server is stricter by intent: a
// fragment (005, 009) or quotes (014) in the target, a body shorter than its Content-Length (099).
bool IsValidToGunicornAlone(const json& test) {
  const auto id = test["id"].get<std::string>();
  return !test["config"].empty() || id == "valid/005" || id == "valid/009" || id == "valid/014" ||
         id == "valid/099" || HasFlag(test, "te_not_plain_chunked") ||
         HasFlag(test, "proxy_protocol");
}

TEST(RequestParser, ReadsTheValidGunicornStreams) {
  int seen = 0;
  const json corpus = ReadJson("gunicorn.json");
  for (const json& test : corpus["cases"]) {
    if (test["kind"] != "valid" || IsValidToGunicornAlone(test)) continue;
    SCOPED_TRACE(test["id"].get<std::string>());
    const std::string stream = StreamOf(test);
    const Transcript parsed = ReadStream(
        stream, [&] { return stream.size(); }, TargetText::kUriAndUtf8);
    EXPECT_EQ(parsed.end, 0);
    ASSERT_EQ(parsed.requests.size(), test["requests"].size());
    for (size_t i = 0; i < parsed.requests.size(); ++i) {
      ExpectEqual(parsed.requests[i], test["requests"][i]);
    }
    ++seen;
  }
  EXPECT_GT(seen, 35);
}

// Invalid to gunicorn alone: for its options' sake, for a rule of its own about methods that RFC
// 9110 does not have (003c), or for lines between its limit and ours (006, 008, 017).
bool IsInvalidToGunicornAlone(const json& test) {
  const auto id = test["id"].get<std::string>();
  return !test["config"].empty() || id == "invalid/003c" || id == "invalid/006" ||
         id == "invalid/008" || id == "invalid/017";
}

TEST(RequestParser, RefusesTheInvalidGunicornStreams) {
  int seen = 0;
  const json corpus = ReadJson("gunicorn.json");
  for (const json& test : corpus["cases"]) {
    if (test["kind"] != "invalid" || IsInvalidToGunicornAlone(test)) continue;
    SCOPED_TRACE(test["id"].get<std::string>());
    const std::string stream = StreamOf(test);
    EXPECT_NE(ReadStream(stream, [&] { return stream.size(); }).end, 0);
    ++seen;
  }
  EXPECT_GT(seen, 50);
}

TEST(RequestParser, TellsTheConnectionWhatItNeedsToKnow) {
  RequestParser parser;
  const std::string_view head =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n";
  ASSERT_EQ(parser.Parse(head), RequestParser::Result::kDone);
  EXPECT_EQ(parser.head_bytes(), head.size());
  EXPECT_EQ(parser.framing().body(), BodyKind::kLength);
  EXPECT_EQ(parser.framing().content_length(), 12);
  EXPECT_TRUE(parser.framing().expect_continue());
  EXPECT_TRUE(parser.framing().keep_alive());
}

TEST(RequestParser, ForgetsTheLastRequestOnReset) {
  RequestParser parser;
  ASSERT_EQ(parser.Parse("POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            RequestParser::Result::kDone);
  parser.Reset();
  ASSERT_EQ(parser.Parse("GET / HTTP/1.0\r\n\r\n"), RequestParser::Result::kDone);
  EXPECT_EQ(parser.head().query, "");
  EXPECT_EQ(parser.head().host, "");
  EXPECT_TRUE(parser.head().fields.empty());
  EXPECT_EQ(parser.framing().body(), BodyKind::kNone);
  EXPECT_FALSE(parser.framing().keep_alive());
}

TEST(RequestParser, StaysRefused) {
  RequestParser parser;
  ASSERT_EQ(parser.Parse("GET\n"), RequestParser::Result::kRefused);
  EXPECT_EQ(parser.Parse("GET\n / HTTP/1.1\r\n"), RequestParser::Result::kRefused);
}

// The status that refuses a request for `target`; 0: none.
int EndOf(const std::string& target, TargetText allowed) {
  const std::string stream = "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
  return ReadStream(
             stream, [&] { return stream.size(); }, allowed)
      .end;
}

TEST(RequestParser, TakesInATargetWhatUrisAreMadeOfAtEveryPlace) {
  const std::string_view outside = "\"#<>\\^`{|}";
  for (int byte = 0x21; byte < 0x100; ++byte) {
    if (byte == 0x7f || byte == '%') continue;
    const bool plain = byte < 0x80 && outside.find(static_cast<char>(byte)) == outside.npos;
    for (size_t at = 0; at < 40; ++at) {
      std::string filling(40, 'a');
      filling[at] = static_cast<char>(byte);
      const int expected = plain ? 0 : 400;
      ASSERT_EQ(EndOf("/" + filling, TargetText::kUri), expected) << byte << " at " << at;
      ASSERT_EQ(EndOf("/?" + filling, TargetText::kUri), expected) << byte << " at " << at;
      ASSERT_EQ(EndOf("http://h/" + filling, TargetText::kUriAndUtf8), expected) << byte;
    }
  }
}

TEST(RequestParser, TakesWholeEscapesAlone) {
  for (const char* target : {"/%41", "/?%00", "/?a=%e9%C3", "/a?100%25"}) {
    EXPECT_EQ(EndOf(target, TargetText::kUri), 0) << target;
  }
  for (const char* target : {"/%", "/%4", "/%4g", "/%%41", "/?%", "/?a=100%", "/?%zz", "/?%2"}) {
    EXPECT_EQ(EndOf(target, TargetText::kUri), 400) << target;
  }
}

TEST(RequestParser, TakesRawUtf8OnDemandAlone) {
  for (const char* target : {"/caf\xc3\xa9", "/?\xe2\x82\xac=\xf0\x9f\x8c\xb3%20", "/\xc2\x80"}) {
    EXPECT_EQ(EndOf(target, TargetText::kUri), 400) << target;
    EXPECT_EQ(EndOf(target, TargetText::kUriAndUtf8), 0) << target;
  }
  for (const char* target : {"/\xc3", "/\xff", "/?\xc0\xaf", "/?\xed\xa0\x80", "/\xc3\xa9\"",
                             "/\xc3\xa9#f", "/\xc3%a9", "http://\xc3\xa9/"}) {
    EXPECT_EQ(EndOf(target, TargetText::kUriAndUtf8), 400) << target;
  }
}

TEST(RequestParser, TellsTheSchemeOfAnAbsoluteTargetAlone) {
  RequestParser parser;
  ASSERT_EQ(parser.Parse("GET hTTps://h/ HTTP/1.1\r\nHost: a\r\n\r\n"),
            RequestParser::Result::kDone);
  EXPECT_EQ(parser.head().scheme, "hTTps");
  parser.Reset();
  ASSERT_EQ(parser.Parse("GET /?https://h/ HTTP/1.1\r\nHost: a\r\n\r\n"),
            RequestParser::Result::kDone);
  EXPECT_EQ(parser.head().scheme, "");
}

TEST(Transcript, ShowsTrailersApartFromFields) {
  const std::string_view stream =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n";
  const Transcript parsed = ReadStream(stream, [] { return 7; });
  ASSERT_EQ(parsed.requests.size(), 1);
  EXPECT_EQ(parsed.requests[0].fields.size(), 2);
  EXPECT_THAT(parsed.requests[0].trailers,
              ElementsAre(std::pair<std::string, std::string>("X", "y")));
}

}  // namespace
}  // namespace grove::http
