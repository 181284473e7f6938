#include "server/http/serving/body_reader.h"

#include <optional>

#include "http/message/parser.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/serving/wire_fixture.h"

namespace grove::http {
namespace {

class BodyReaderTest : public WireFixture {
 protected:
  // Runs `body` with the reader of a request that has these fields; `sent` follows its head.
  template <typename F>
  void RunWithBody(std::string_view fields, std::string_view sent, F&& body) {
    const std::string head = StrCat("POST / HTTP/1.1\r\nHost: a\r\n", fields, "\r\n");
    RequestParser parser;
    ASSERT_EQ(parser.Parse(head), RequestParser::Result::kDone);
    RunWithWire([&](Wire& wire) {
      BodyReader reader(wire, options_);
      reader.Start(parser.framing(), trailers_);
      if (!sent.empty()) {
        Send(sent);
        EXPECT_TRUE(wire.Fill().ok());
      }
      body(reader, wire);
    });
  }
  // What one Read() gives, or its failure's code.
  static std::string ReadOnce(BodyReader& reader) {
    char buffer[100];
    const absl::StatusOr<size_t> got = reader.Read(buffer);
    return got.ok() ? std::string(buffer, *got) : absl::StatusCodeToString(got.status().code());
  }

  FieldSpan trailers_;
};

TEST_F(BodyReaderTest, ReadsALengthAndNotAByteMore) {
  RunWithBody("Content-Length: 5\r\n", "helloGET", [&](BodyReader& reader, Wire& wire) {
    EXPECT_EQ(reader.known_left(), 5);
    EXPECT_EQ(ReadOnce(reader), "hello");
    EXPECT_TRUE(reader.ended());
    EXPECT_EQ(ReadOnce(reader), "");
    EXPECT_EQ(wire.input().unread(), "GET");
  });
}

TEST_F(BodyReaderTest, ReadsChunksAndTheirTrailers) {
  RunWithBody("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\nGET",
              [&](BodyReader& reader, Wire& wire) {
                EXPECT_EQ(ReadOnce(reader), "abc");
                EXPECT_EQ(ReadOnce(reader), "");
                ASSERT_EQ(trailers_.size(), 1);
                EXPECT_EQ(trailers_[0].value, "u");
                EXPECT_EQ(wire.input().unread(), "GET");
              });
}

TEST_F(BodyReaderTest, InvitesAClientThatWaitsAndSendsThatBeforeItReads) {
  RunWithBody("Content-Length: 2\r\nExpect: 100-continue\r\n", "", [&](BodyReader& reader, Wire&) {
    EXPECT_TRUE(reader.continue_withheld());
    std::string read;
    FiberHandle reading = *Spawn("reading", [&] { read = ReadOnce(reader); });
    Yield();
    EXPECT_EQ(Received(), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_FALSE(reader.continue_withheld());
    Send("hi");
    reading.AwaitEnd();
    EXPECT_EQ(read, "hi");
  });
}

TEST_F(BodyReaderTest, AClientThatSendsUnaskedNeedsNoInvitation) {
  RunWithBody("Content-Length: 2\r\nExpect: 100-continue\r\n", "hi",
              [&](BodyReader& reader, Wire& wire) {
                EXPECT_EQ(ReadOnce(reader), "hi");
                EXPECT_TRUE(wire.output().pending().empty());
              });
}

TEST_F(BodyReaderTest, ASilentClientIsTooSlow) {
  RunWithBody("Content-Length: 2\r\n", "", [&](BodyReader& reader, Wire&) {
    const MonotonicNanos before = clock_.Now();
    EXPECT_EQ(ReadOnce(reader), "DEADLINE_EXCEEDED");
    EXPECT_EQ(clock_.Now() - before, absl::ToInt64Nanoseconds(options_.io_timeout));
    EXPECT_EQ(reader.failure_status(), 408);
    EXPECT_EQ(ReadOnce(reader), "DEADLINE_EXCEEDED") << "for good";
  });
}

TEST_F(BodyReaderTest, AClientThatDripsIsTooSlow) {
  RunWithBody("Content-Length: 1000000\r\n", "", [&](BodyReader& reader, Wire&) {
    FiberHandle dripping = *Spawn("dripping", [&] {
      while (!reader.failed() && Sleep(options_.io_timeout / 10).ok()) Send("x");
    });
    const MonotonicNanos before = clock_.Now();
    std::string last;
    for (int i = 0; i < 100 && !reader.failed(); ++i) last = ReadOnce(reader);
    EXPECT_EQ(last, "DEADLINE_EXCEEDED");
    EXPECT_EQ(clock_.Now() - before, absl::ToInt64Nanoseconds(options_.io_timeout));
    dripping.AwaitEnd();
  });
}

TEST_F(BodyReaderTest, TheHandlersPauseIsNotTheClients) {
  RunWithBody("Content-Length: 2\r\n", "a", [&](BodyReader& reader, Wire&) {
    EXPECT_EQ(ReadOnce(reader), "a");
    EXPECT_TRUE(Sleep(options_.io_timeout * 2).ok());
    Send("b");
    EXPECT_EQ(ReadOnce(reader), "b");
  });
}

// What was answered so far is sent before more is read; how long that takes is not the body's pace.
TEST_F(BodyReaderTest, AClientThatIsSlowToTakeTheAnswerMaySendItsBodyAfterIt) {
  RunWithBody("Content-Length: 1\r\n", "", [&](BodyReader& reader, Wire& wire) {
    wire.output().pending().Append(std::string(1 << 20, 'x'));
    FiberHandle client = *Spawn("client", [&] {
      char piece[4000];
      bool sent = false;
      for (size_t taken = 0; taken < 1 << 20 && Sleep(absl::Seconds(1)).ok();) {
        taken += static_cast<size_t>(
            std::max<ssize_t>(recv(client_, piece, sizeof(piece), MSG_DONTWAIT), 0));
        if (taken > 700'000 && !std::exchange(sent, true)) Send("b");
      }
    });
    EXPECT_EQ(ReadOnce(reader), "b");
    client.AwaitEnd();
  });
}

TEST_F(BodyReaderTest, AClientThatLeavesIsNotToBlameInAStatus) {
  RunWithBody("Content-Length: 2\r\n", "a", [&](BodyReader& reader, Wire&) {
    Leave();
    EXPECT_EQ(ReadOnce(reader), "a");
    EXPECT_EQ(ReadOnce(reader), "UNAVAILABLE");
    EXPECT_TRUE(reader.failed());
    EXPECT_EQ(reader.failure_status(), 0);
  });
}

TEST_F(BodyReaderTest, BoundsWhatAChunkedBodyBrings) {
  options_.body_max_bytes = 3;
  RunWithBody("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
              [&](BodyReader& reader, Wire&) {
                EXPECT_EQ(ReadOnce(reader), "RESOURCE_EXHAUSTED");
                EXPECT_EQ(reader.failure_status(), 413);
              });
}

TEST_F(BodyReaderTest, AMalformedChunkIs400) {
  RunWithBody("Transfer-Encoding: chunked\r\n", "z\r\n", [&](BodyReader& reader, Wire&) {
    EXPECT_EQ(ReadOnce(reader), "INVALID_ARGUMENT");
    EXPECT_EQ(reader.failure_status(), 400);
  });
}

TEST_F(BodyReaderTest, DiscardsWhatIsWorthIt) {
  RunWithBody("Content-Length: 4\r\n", "bodyGET", [&](BodyReader& reader, Wire& wire) {
    EXPECT_FALSE(reader.Discard(3));
    EXPECT_TRUE(reader.Discard(4));
    EXPECT_EQ(wire.input().unread(), "GET");
  });
}

TEST_F(BodyReaderTest, DoesNotDiscardABodyThatTheClientWaitsToSend) {
  RunWithBody("Content-Length: 4\r\nExpect: 100-continue\r\n", "",
              [&](BodyReader& reader, Wire&) { EXPECT_FALSE(reader.Discard(100)); });
}

}  // namespace
}  // namespace grove::http
