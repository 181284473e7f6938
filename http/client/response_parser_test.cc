#include "http/client/response_parser.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;
using Result = ResponseParser::Result;

// What came of a head, as a line.
std::string Told(const ResponseParser& parser, Result result) {
  if (result == Result::kNeedMore) return "more";
  if (result == Result::kBad) return std::string(parser.error().message());
  std::string text = StrCat(parser.head().status, "|", parser.head().reason, "|");
  for (const Field& field : parser.head().fields)
    StrAppend(&text, field.name, "=", field.value, "|");
  return text;
}

std::string Parsed(const std::string& bytes) {
  ResponseParser parser;
  std::string copy = bytes;
  return Told(parser, parser.Parse(copy));
}

TEST(ResponseParser, TakesAHeadApart) {
  EXPECT_EQ(Parsed("HTTP/1.1 200 OK\r\nA: 1\r\nB:  two words \r\nC:\r\n\r\nbody"),
            "200|OK|A=1|B=two words|C=|");
  EXPECT_EQ(Parsed("HTTP/1.1 404 Not Found\r\n\r\n"), "404|Not Found|");
  EXPECT_EQ(Parsed("HTTP/1.1 200 \r\n\r\n"), "200||");
  EXPECT_EQ(Parsed("HTTP/1.0 200\r\n\r\n"), "200||");
}

TEST(ResponseParser, SaysTheSameWhateverTheSplit) {
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nA: 1\r\nFolded: a\r\n  b\r\n\tc\r\nBare: x\nLast: y\r\n\r\nrest";
  const std::string whole = Parsed(bytes);
  EXPECT_EQ(whole, "200|OK|A=1|Folded=a    b  \tc|Bare=x|Last=y|");
  for (size_t first = 1; first < bytes.size() - 4; ++first) {
    ResponseParser parser;
    // Each time in other memory, as a buffer that grows.
    auto bytes_so_far = std::make_unique<std::string>(bytes.substr(0, first));
    Result result = parser.Parse(*bytes_so_far);
    if (result == Result::kNeedMore) {
      auto all = std::make_unique<std::string>(*bytes_so_far + bytes.substr(first));
      bytes_so_far->assign(bytes_so_far->size(), '#');
      result = parser.Parse(*all);
      EXPECT_EQ(Told(parser, result), whole) << first;
      EXPECT_EQ(parser.head_bytes(), bytes.size() - 4);
    } else {
      ADD_FAILURE() << "done after " << first;
    }
  }
}

TEST(ResponseParser, RefusesWhatIsNoHead) {
  EXPECT_THAT(Parsed("HTTP/2 200\r\n\r\n"), HasSubstr("is no status line"));
  EXPECT_THAT(Parsed("SSH-2.0-x"), HasSubstr("it is no HTTP/1"));
  EXPECT_EQ(Parsed("HTT"), "more");
  EXPECT_THAT(Parsed("HTTP/1.1 20 OK\r\n\r\n"), HasSubstr("is no status line"));
  EXPECT_THAT(Parsed("HTTP/1.1 2000 OK\r\n\r\n"), HasSubstr("is no status line"));
  EXPECT_THAT(Parsed("HTTP/1.1 099 OK\r\n\r\n"), HasSubstr("is no status line"));
  EXPECT_THAT(Parsed("HTTP/1.1  200 OK\r\n\r\n"), HasSubstr("is no status line"));
  EXPECT_THAT(Parsed("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), HasSubstr("is no field"));
  EXPECT_THAT(Parsed("HTTP/1.1 200 OK\r\nA : 1\r\n\r\n"), HasSubstr("is no field"));
  EXPECT_THAT(Parsed("HTTP/1.1 200 OK\r\n: 1\r\n\r\n"), HasSubstr("is no field"));
  EXPECT_THAT(Parsed("HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n"), HasSubstr("is no field"));
  EXPECT_THAT(Parsed(StrCat("HTTP/1.1 200 OK\r\nA: ", std::string(70'000, 'x'))),
              HasSubstr("larger than 65536 bytes"));
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 257; ++i) many += "A: 1\r\n";
  EXPECT_THAT(Parsed(many + "\r\n"), HasSubstr("more than 256 fields"));
}

// "length 5 keep", "until close", "none close" …
std::string Framed(const std::string& bytes, std::string_view method = "GET") {
  ResponseParser parser;
  std::string copy = bytes;
  EXPECT_EQ(parser.Parse(copy), Result::kDone) << bytes;
  ResponseFraming framing;
  absl::Status status = parser.Frame(method, framing);
  if (!status.ok()) return std::string(status.message());
  const char* const bodies[] = {"none", "length", "chunked", "until close", "tunnel"};
  std::string text = bodies[static_cast<size_t>(framing.body)];
  if (framing.body == ResponseBody::kLength) StrAppend(&text, " ", framing.content_length);
  return text + (framing.keep_alive ? " keep" : " close");
}

std::string With(std::string_view fields) {
  return StrCat("HTTP/1.1 200 OK\r\n", fields, "\r\n");
}

TEST(ResponseParser, SaysWhereTheBodyEnds) {
  EXPECT_EQ(Framed(With("Content-Length: 5\r\n")), "length 5 keep");
  EXPECT_EQ(Framed(With("content-length: 0\r\n")), "none keep");
  EXPECT_EQ(Framed(With("Transfer-Encoding: chunked\r\n")), "chunked keep");
  EXPECT_EQ(Framed(With("Transfer-Encoding: Chunked\r\nConnection: close\r\n")), "chunked close");
  EXPECT_EQ(Framed(With("")), "until close close");
  EXPECT_EQ(Framed(With("Content-Length: 5\r\nConnection: x, Close\r\n")), "length 5 close");
  EXPECT_EQ(Framed("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), "length 5 close");
  EXPECT_EQ(Framed("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"),
            "length 5 keep");
}

TEST(ResponseParser, KnowsAnswersWithoutABody) {
  const std::string length = "Content-Length: 5\r\n\r\n";
  EXPECT_EQ(Framed("HTTP/1.1 200 OK\r\n" + length, "HEAD"), "none keep");
  EXPECT_EQ(Framed("HTTP/1.1 204 No Content\r\n" + length), "none keep");
  EXPECT_EQ(Framed("HTTP/1.1 304 Not Modified\r\n" + length), "none keep");
  EXPECT_EQ(Framed("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "tunnel keep");
  EXPECT_EQ(Framed("HTTP/1.1 200 OK\r\n\r\n", "CONNECT"), "tunnel keep");
}

// Where another recipient could see another end, the connection is not used again, or the answer is
// not taken (RFC 9112, 6.3).
TEST(ResponseParser, TrustsNoDoubtfulFraming) {
  EXPECT_EQ(Framed(With("Content-Length: 5, 5\r\n")), "length 5 keep");
  EXPECT_THAT(Framed(With("Content-Length: 5\r\nContent-Length: 6\r\n")), HasSubstr("or several"));
  EXPECT_THAT(Framed(With("Content-Length: 5, 6\r\n")), HasSubstr("or several"));
  EXPECT_THAT(Framed(With("Content-Length: +5\r\n")), HasSubstr("no number"));
  EXPECT_THAT(Framed(With("Content-Length: 0x5\r\n")), HasSubstr("no number"));
  EXPECT_THAT(Framed(With("Content-Length:\r\n")), HasSubstr("no number"));
  EXPECT_THAT(Framed(With("Content-Length: 99999999999999999999\r\n")), HasSubstr("no number"));
  EXPECT_EQ(Framed(With("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")), "chunked close");
  EXPECT_EQ(
      Framed("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"),
      "chunked close");
  EXPECT_THAT(Framed(With("Transfer-Encoding: gzip, chunked\r\n")), HasSubstr("transfer coding"));
  EXPECT_THAT(Framed(With("Transfer-Encoding: chunked, gzip\r\n")), HasSubstr("transfer coding"));
  EXPECT_THAT(Framed(With("Transfer-Encoding: chunked, chunked\r\n")),
              HasSubstr("transfer coding"));
  EXPECT_EQ(Framed("HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n"), "length 5 close");
  EXPECT_EQ(Framed(With("A: b\r\n c\r\nContent-Length: 5\r\n")), "length 5 close");
}

TEST(ResponseParser, BeginsAnew) {
  ResponseParser parser;
  std::string first = "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n";
  EXPECT_EQ(Told(parser, parser.Parse(first)), "100|Continue|A=b|");
  parser.Reset();
  std::string second = "HTTP/1.1 200 OK\r\n\r\n";
  EXPECT_EQ(Told(parser, parser.Parse(second)), "200|OK|");
}

}  // namespace
}  // namespace grove::http
