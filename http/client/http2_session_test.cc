#include "http/client/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <functional>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/http2_fixture.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

constexpr MonotonicNanos kSecond = 1'000'000'000;
// ":status: 200" of HPACK's static table.
constexpr std::string_view kStatus200 = "\x88";

std::string Frame(uint8_t type, uint8_t flags, int32_t id, std::string_view payload) {
  return Http2Peer::Frame(type, flags, id, payload);
}

std::string Head(int32_t id, std::string_view block = kStatus200, uint8_t flags = 0) {
  return Frame(NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, id, block);
}

std::string Times(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// A literal field without indexing (RFC 7541, 6.2.2), with lengths below 127.
std::string Literal(std::string_view name, std::string_view value) {
  std::string field(1, '\0');
  field.push_back(static_cast<char>(name.size()));
  field.append(name);
  field.push_back(static_cast<char>(value.size()));
  return field.append(value);
}

// A client's side with two requests under way, numbers 1 and 3.
class Http2SessionTest : public ::testing::Test {
 protected:
  explicit Http2SessionTest(const Http2Limits& limits = {}) : session(limits) {
    const HttpFields fields = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}};
    for (Http2Stream* stream : {&one, &two}) {
      EXPECT_TRUE(session.Submit(fields, false, *stream).ok());
    }
    Send();
    Say(Frame(NGHTTP2_SETTINGS, 0, 0, "") + Frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""));
  }
  ~Http2SessionTest() override {
    session.GiveUp(one);
    session.GiveUp(two);
  }

  void Say(std::string_view bytes) { said = session.Receive(bytes, now); }
  void Send() {
    sent.clear();
    EXPECT_TRUE(session.Produce(sent, 1 << 20).ok());
  }
  // What was said ends the connection: one way or the other.
  bool Ended() {
    Send();
    return !said.ok() || session.done();
  }
  std::string Why() { return std::string((said.ok() ? session.EndReason() : said).message()); }

  Http2Session session;
  Http2Stream one;
  Http2Stream two;
  MonotonicNanos now = 0;
  absl::Status said;
  std::string sent;
};

TEST_F(Http2SessionTest, EndsFloodsOfFramesWithoutContent) {
  const std::map<std::string, std::string> floods = {
      {"ping", Frame(NGHTTP2_PING, 0, 0, "12345678")},
      {"settings", Frame(NGHTTP2_SETTINGS, 0, 0, "")},
      {"data", Frame(NGHTTP2_DATA, 0, 1, "")},
      {"padding alone", Frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x02\0\0", 3))},
      {"priority", Frame(NGHTTP2_PRIORITY, 0, 1, std::string("\0\0\0\0\x10", 5))},
      {"windows", Frame(NGHTTP2_WINDOW_UPDATE, 0, 1, std::string("\0\0\0\x01", 4))},
  };
  for (const auto& [name, frame] : floods) {
    Http2Session flooded{Http2Limits()};
    Http2Stream stream;
    ASSERT_TRUE(
        flooded.Submit({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, false, stream)
            .ok());
    std::string out;
    ASSERT_TRUE(flooded.Produce(out, 1 << 20).ok());
    ASSERT_TRUE(flooded.Receive(Frame(NGHTTP2_SETTINGS, 0, 0, "") + Head(1), 0).ok());
    // Some are nobody's flood.
    EXPECT_TRUE(flooded.Receive(Times(900, frame), 0).ok()) << name;
    out.clear();
    EXPECT_TRUE(flooded.Produce(out, 1 << 20).ok());
    const absl::Status ended = flooded.Receive(Times(200, frame), 0);
    EXPECT_THAT(std::string(ended.message()), HasSubstr("floods")) << name;
    out.clear();
    EXPECT_TRUE(flooded.Produce(out, 1 << 20).ok());
    EXPECT_THAT(out, HasSubstr(Frame(NGHTTP2_GOAWAY, 0, 0, std::string("\0\0\0\0\0\0\0\x0b", 8))))
        << name;
    flooded.GiveUp(stream);
  }
}

TEST_F(Http2SessionTest, BearsWhatComesNowAndThen) {
  Say(Head(1));
  for (int i = 0; i < 100; ++i) {
    now += kSecond;
    Say(Times(200, Frame(NGHTTP2_PING, 0, 0, "12345678")));
    ASSERT_TRUE(said.ok()) << said;
    Send();
  }
}

TEST_F(Http2SessionTest, BearsWindowsInSmallStepsForABodyThatIsSent) {
  const std::string body(1'000'000, 'x');
  Http2Stream upload;
  upload.outgoing = body;
  ASSERT_TRUE(
      session.Submit({{":method", "PUT"}, {":scheme", "http"}, {":path", "/"}}, true, upload).ok());
  const std::string step = Frame(NGHTTP2_WINDOW_UPDATE, 0, 5, std::string("\0\0\x02\0", 4)) +
                           Frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\0\0\x02\0", 4));
  for (Send(); !upload.outgoing.empty(); Send()) {
    Say(Times(32, step));
    ASSERT_TRUE(said.ok()) << said;
  }
  session.GiveUp(upload);
}

TEST_F(Http2SessionTest, EndsWhatBreaksTheProtocol) {
  const std::string half = Frame(NGHTTP2_HEADERS, 0, 1, kStatus200);
  const std::string fragment = Frame(NGHTTP2_CONTINUATION, 0, 1, "");
  const std::map<std::string, std::string> cases = {
      {"continuations", half + Times(20, fragment)},
      {"a window too large",
       Times(2, Frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\x7f\xff\xff\xff", 4)))},
      {"a promise",
       Frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, std::string("\0\0\0\x02\x82", 5))},
      {"a frame too large", Frame(NGHTTP2_DATA, 0, 1, std::string(20'000, 'x'))},
      {"an even stream", Head(2)},
      {"a table's entry that is not there", Head(1, "\xff\x7f")},
      {"many settings",
       Frame(NGHTTP2_SETTINGS, 0, 0, Times(100, std::string("\0\x01\0\0\0\0", 6)))},
  };
  for (const auto& [name, bytes] : cases) {
    Http2Session broken{Http2Limits()};
    Http2Stream stream;
    ASSERT_TRUE(
        broken.Submit({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, false, stream)
            .ok());
    std::string out;
    ASSERT_TRUE(broken.Produce(out, 1 << 20).ok());
    ASSERT_TRUE(broken.Receive(Frame(NGHTTP2_SETTINGS, 0, 0, ""), 0).ok());
    absl::Status ended = broken.Receive(bytes, 0);
    ASSERT_TRUE(broken.Produce(out, 1 << 20).ok() || !ended.ok());
    EXPECT_TRUE(!ended.ok() || broken.done()) << name;
    EXPECT_THAT(std::string((ended.ok() ? broken.EndReason() : ended).message()),
                HasSubstr("the server breaks the rules of HTTP/2"))
        << name;
    broken.GiveUp(stream);
  }
}

TEST_F(Http2SessionTest, EndsAServerThatIgnoresWindows) {
  Say(Head(1));
  // 256 KiB are allowed, and nobody reads.
  Say(Times(16, Frame(NGHTTP2_DATA, 0, 1, std::string(16'384, 'x'))));
  EXPECT_FALSE(Ended());
  EXPECT_EQ(one.body.size(), 256 * 1024);
  Say(Frame(NGHTTP2_DATA, 0, 1, "x"));
  EXPECT_THAT(Why(), HasSubstr("it sends more than a stream's window"));
  EXPECT_EQ(one.body.size(), 256 * 1024);
}

TEST_F(Http2SessionTest, BoundsFieldsOfEachAnswer) {
  Say(Head(1, std::string(kStatus200) + Times(300, Literal("a", "b"))));
  EXPECT_TRUE(absl::IsUnavailable(one.failure)) << one.failure;
  EXPECT_THAT(std::string(one.failure.message()), HasSubstr("more than 256 fields"));
  // A bomb: a field of 4,000 bytes into the table, then a byte for each of its like. The length's
  // bytes: 127 + 33 + 30 * 128.
  std::string bomb = std::string(kStatus200) + "\x40\x01" + "a" + "\x7f\xa1\x1e" +
                     std::string(127 + 33 + 30 * 128, 'x') + std::string(30, '\xbe');
  Say(Head(3, bomb, NGHTTP2_FLAG_END_STREAM));
  EXPECT_TRUE(absl::IsResourceExhausted(two.failure)) << two.failure;
  EXPECT_THAT(std::string(two.failure.message()), HasSubstr("larger than 65536 bytes"));
  EXPECT_FALSE(Ended());
}

TEST_F(Http2SessionTest, RefusesMalformedAnswersAndGoesOn) {
  Say(Head(1, std::string(kStatus200) + Literal("content-length", "3")) +
      Frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "four"));
  EXPECT_FALSE(Ended());
  EXPECT_FALSE(one.ended);
  EXPECT_THAT(std::string(one.failure.message()), HasSubstr("the server's answer is malformed"));
  // A name in upper case, and none that a proxy may take for the next answer's.
  Say(Head(3, std::string(kStatus200) + Literal("X-Upper", "1")));
  EXPECT_FALSE(Ended());
  EXPECT_THAT(std::string(two.failure.message()), HasSubstr("malformed"));
  EXPECT_FALSE(two.has_head);
}

TEST_F(Http2SessionTest, RefusesStatusesBelow100) {
  Say(Head(1, Literal(":status", "051"), NGHTTP2_FLAG_END_STREAM));
  EXPECT_FALSE(one.ended);
  EXPECT_THAT(std::string(one.failure.message()), HasSubstr("malformed: its status is 051"));
  Say(Head(3, Literal(":status", "000"), NGHTTP2_FLAG_END_STREAM));
  EXPECT_FALSE(two.ended);
  EXPECT_THAT(std::string(two.failure.message()), HasSubstr("malformed: its status is 000"));
  EXPECT_TRUE(said.ok()) << said;
}

TEST_F(Http2SessionTest, TakesNoFieldsOfTheConnection) {
  Say(Head(1, std::string(kStatus200) + Literal("connection", "close")));
  Send();
  EXPECT_THAT(std::string(one.failure.message()), HasSubstr("malformed")) << one.failure;
  Say(Head(3, std::string(kStatus200) + Literal("a", "b\r\nc: d")));
  EXPECT_THAT(std::string(two.failure.message()), HasSubstr("\"a\" is no field")) << two.failure;
  EXPECT_FALSE(Ended());
}

TEST_F(Http2SessionTest, TellsRefusedStreamsFromOthers) {
  Say(Frame(NGHTTP2_RST_STREAM, 0, 1, std::string("\0\0\0\x07", 4)));
  EXPECT_TRUE(one.closed);
  EXPECT_TRUE(one.refused);
  Say(Frame(NGHTTP2_RST_STREAM, 0, 3, std::string("\0\0\0\x02", 4)));
  EXPECT_TRUE(two.closed);
  EXPECT_FALSE(two.refused);
  EXPECT_THAT(std::string(two.failure.message()), HasSubstr("INTERNAL_ERROR"));
  EXPECT_EQ(session.streams(), 0);
}

TEST_F(Http2SessionTest, AnAnswerThatIsWholeStaysSoWhateverFollows) {
  Say(Head(1, kStatus200, NGHTTP2_FLAG_END_STREAM));
  EXPECT_TRUE(one.ended);
  EXPECT_TRUE(one.closed);
  session.Fail(absl::UnavailableError("the connection broke"));
  EXPECT_TRUE(one.failure.ok());
  EXPECT_EQ(std::string(two.failure.message()), "the connection broke");
  EXPECT_FALSE(two.refused);
}

}  // namespace
}  // namespace grove::http
