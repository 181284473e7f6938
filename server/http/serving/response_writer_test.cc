#include "server/http/serving/response_writer.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::http {
namespace {

class FakeOwner final : public ResponseWriter::Owner {
 public:
  bool MayKeepAlive() const override { return may_keep_alive; }
  void NoteContinue() override { ++continues; }
  absl::StatusOr<Transport*> HandOver() override {
    if (!hand_over.ok()) return hand_over;
    return nullptr;
  }

  bool may_keep_alive = true;
  int continues = 0;
  absl::Status hand_over;
};

// Without a socket: what would be sent is read from what is pending.
class ResponseWriterTest : public HubTest {
 protected:
  // What `body` had written, without the Date line.
  template <typename F>
  std::string Written(const ResponseWriter::Asked& asked, F&& body) {
    std::string written;
    Run([&] {
      Output output(socket_, absl::Seconds(1), bytes_out_, blocks_);
      ResponseWriter writer(output, standing_, stats_, owner_);
      writer.Start(asked);
      body(writer);
      written = std::string(output.pending().view());
      keeps_alive_ = writer.keeps_alive();
      complete_ = writer.complete();
      output.Settle();
    });
    const size_t date = written.find("Date: ");
    if (date != std::string::npos) written.erase(date, written.find('\n', date) + 1 - date);
    return written;
  }

  Socket socket_;
  BlockPool blocks_;
  uint64_t bytes_out_ = 0;
  StandingFields standing_;
  ServerStats stats_;
  FakeOwner owner_;
  bool keeps_alive_ = false;
  bool complete_ = false;
};

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nServer: grove\r\n";

TEST_F(ResponseWriterTest, SendsAWholeResponse) {
  const Field fields[] = {{"X", "y"}};
  EXPECT_EQ(Written({}, [&](auto& w) { EXPECT_TRUE(w.Send(200, fields, "a/b", "hi").ok()); }),
            std::string(kOk) + "Content-Type: a/b\r\nX: y\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_TRUE(keeps_alive_);
  EXPECT_TRUE(complete_);
  EXPECT_EQ(stats_.ResponsesWith(200), 1);
}

TEST_F(ResponseWriterTest, HeadHasTheFieldsAndNoBody) {
  EXPECT_EQ(Written({.head = true}, [](auto& w) { EXPECT_TRUE(w.Send(200, {}, "", "hi").ok()); }),
            std::string(kOk) + "Content-Length: 2\r\n\r\n");
}

TEST_F(ResponseWriterTest, NoContentAndNotModifiedHaveNeitherBodyNorLength) {
  for (const int status : {204, 304}) {
    const std::string written =
        Written({}, [&](auto& w) { EXPECT_TRUE(w.Send(status, {}, "", "hi").ok()); });
    EXPECT_TRUE(written.ends_with("Server: grove\r\n\r\n")) << written;
  }
}

TEST_F(ResponseWriterTest, ResetContentIsEmptyAndSaysSo) {
  const std::string written = Written({}, [](auto& w) {
    EXPECT_TRUE(w.Begin(205, {}, 2).ok());
    EXPECT_TRUE(w.Write("hi").ok());
    EXPECT_TRUE(w.Finish({}).ok());
  });
  EXPECT_TRUE(written.ends_with("Content-Length: 0\r\n\r\n")) << written;
}

TEST_F(ResponseWriterTest, JoinsPiecesIntoOneChunk) {
  EXPECT_EQ(Written({},
                    [](auto& w) {
                      EXPECT_TRUE(w.Begin(200, {}, std::nullopt).ok());
                      EXPECT_TRUE(w.Write("ab").ok());
                      EXPECT_TRUE(w.Write("cd").ok());
                      EXPECT_TRUE(w.Finish({}).ok());
                    }),
            std::string(kOk) + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n");
}

TEST_F(ResponseWriterTest, AChunkMovesAsItsSizeTakesADigitMore) {
  const std::string written = Written({}, [](auto& w) {
    EXPECT_TRUE(w.Begin(200, {}, std::nullopt).ok());
    EXPECT_TRUE(w.Write("0123456789abcde").ok());
    EXPECT_TRUE(w.Write("f").ok());
  });
  EXPECT_TRUE(written.ends_with("\r\n\r\n10\r\n0123456789abcdef\r\n")) << written;
}

TEST_F(ResponseWriterTest, AChunkThatHasLeftGrowsNoMore) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  const int file = memfd_create("body", MFD_CLOEXEC);
  ASSERT_EQ(write(file, "xyz", 3), 3);
  // What is pending then ends where the chunk ended that has left.
  EXPECT_EQ(Written({},
                    [&](auto& w) {
                      socket_ = *Socket::Adopt(ends[0]);
                      EXPECT_TRUE(w.Begin(200, {}, std::nullopt).ok());
                      Yield();
                      EXPECT_TRUE(w.Write("12345678").ok());
                      Yield();
                      EXPECT_TRUE(w.WriteFile(file, 0, 1).ok());
                      EXPECT_TRUE(w.WriteFile(file, 1, 2).ok());
                      EXPECT_TRUE(w.Write("d").ok());
                      socket_.Close();
                    }),
            "1\r\nx\r\n2\r\nyz\r\n1\r\nd\r\n");
  close(file);
  close(ends[1]);
}

TEST_F(ResponseWriterTest, TrailersFollowTheLastChunk) {
  const Field trailers[] = {{"T", "u"}};
  const std::string written = Written({}, [&](auto& w) {
    EXPECT_TRUE(w.Begin(200, {}, std::nullopt).ok());
    EXPECT_TRUE(w.Finish(trailers).ok());
  });
  EXPECT_TRUE(written.ends_with("0\r\nT: u\r\n\r\n")) << written;
}

TEST_F(ResponseWriterTest, TheEndOfTheConnectionEndsABodyInHttp10) {
  EXPECT_EQ(Written({.version_minor = 0},
                    [](auto& w) {
                      EXPECT_TRUE(w.Begin(200, {}, std::nullopt).ok());
                      EXPECT_TRUE(w.Write("ab").ok());
                      EXPECT_TRUE(w.Finish({}).ok());
                      EXPECT_TRUE(w.close_delimited());
                    }),
            std::string(kOk) + "Connection: close\r\n\r\nab");
  EXPECT_FALSE(keeps_alive_);
}

TEST_F(ResponseWriterTest, TellsHttp10ThatTheConnectionGoesOn) {
  EXPECT_EQ(
      Written({.version_minor = 0}, [](auto& w) { EXPECT_TRUE(w.Send(200, {}, "", "").ok()); }),
      std::string(kOk) + "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(ResponseWriterTest, SaysCloseWhereTheConnectionOrTheHandlerEnds) {
  const std::string close = std::string(kOk) + "Connection: close\r\nContent-Length: 0\r\n\r\n";
  const Field field[] = {{"Connection", "close"}};
  EXPECT_EQ(Written({}, [&](auto& w) { EXPECT_TRUE(w.Send(200, field, "", "").ok()); }), close);
  owner_.may_keep_alive = false;
  EXPECT_EQ(Written({}, [](auto& w) { EXPECT_TRUE(w.Send(200, {}, "", "").ok()); }), close);
  EXPECT_FALSE(keeps_alive_);
}

TEST_F(ResponseWriterTest, KeepsAHandlerToItsContentLength) {
  const Field length[] = {{"Content-Length", "3"}};
  Written({}, [&](auto& w) {
    EXPECT_TRUE(w.Begin(200, length, std::nullopt).ok());
    EXPECT_TRUE(absl::IsInternal(w.Write("four")));
    EXPECT_TRUE(w.Write("ab").ok());
    EXPECT_TRUE(absl::IsInternal(w.Finish({})));
    EXPECT_FALSE(w.complete());
    EXPECT_TRUE(w.Write("c").ok());
    EXPECT_TRUE(w.Finish({}).ok());
  });
  EXPECT_TRUE(complete_);
}

TEST_F(ResponseWriterTest, RefusesTwoContentLengthsOrOneThatIsNoNumber) {
  const Field two[] = {{"Content-Length", "3"}, {"content-length", "3"}};
  const Field none[] = {{"Content-Length", "x"}};
  EXPECT_EQ(Written({},
                    [&](auto& w) {
                      EXPECT_TRUE(absl::IsInternal(w.Begin(200, two, std::nullopt)));
                      EXPECT_TRUE(absl::IsInternal(w.Send(200, none, "", "")));
                      EXPECT_FALSE(w.begun());
                    }),
            "");
}

TEST_F(ResponseWriterTest, TheHandlersOwnDateAndServerStand) {
  const Field fields[] = {{"date", "now"}, {"server", "mine"}};
  EXPECT_EQ(Written({}, [&](auto& w) { EXPECT_TRUE(w.Send(200, fields, "", "").ok()); }),
            "HTTP/1.1 200 OK\r\ndate: now\r\nserver: mine\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(ResponseWriterTest, AnInterimResponseIsNoAnswer) {
  EXPECT_EQ(Written({},
                    [](auto& w) {
                      EXPECT_TRUE(w.SendInterim(100, {}).ok());
                      EXPECT_FALSE(w.begun());
                    }),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(owner_.continues, 1);
  EXPECT_EQ(
      Written({.version_minor = 0}, [](auto& w) { EXPECT_TRUE(w.SendInterim(100, {}).ok()); }), "");
}

TEST_F(ResponseWriterTest, SwitchesOnceTheConnectionIsHandedOver) {
  EXPECT_EQ(
      Written({}, [](auto& w) { EXPECT_TRUE(w.Switch("websocket", {}).ok()); }),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  owner_.hand_over = absl::UnavailableError("draining");
  EXPECT_EQ(
      Written({}, [](auto& w) { EXPECT_TRUE(absl::IsUnavailable(w.Switch("x", {}).status())); }),
      "");
  EXPECT_EQ(
      Written({.version_minor = 0},
              [](auto& w) { EXPECT_TRUE(absl::IsFailedPrecondition(w.Switch("x", {}).status())); }),
      "");
}

TEST_F(ResponseWriterTest, AHandlersFieldsOfTheConnectionAreNotSaidTwice) {
  const Field fields[] = {
      {"Connection", "close"}, {"upgrade", "h2c"}, {"Content-Length", "5"}, {"X", "y"}};
  EXPECT_EQ(Written({}, [&](auto& w) { EXPECT_TRUE(w.Switch("websocket", fields).ok()); }),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nX: y\r\n\r\n");
}

}  // namespace
}  // namespace grove::http
