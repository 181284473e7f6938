#include "server/handlers/try_out.h"

#include "gmock/gmock.h"
#include "server/http/serving/server_fixture.h"

namespace grove::handlers {
namespace {

using http::Client;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class TryOutTest : public http::ServerFixture {
 protected:
  TryOutTest() {
    Handle("", "/echo", &EchoBody);
    Handle("", "/ignore", &IgnoreBody);
    Handle("", "/stream", &StreamChunks);
    Handle("", "/status", &AnswerStatus);
    Handle("", "/sleep", &SleepThenAnswer);
    Handle("", "/fail", &FailToAnswer);
  }
  std::string Get(std::string_view target) {
    Client client = Connect();
    client.Send(std::string("GET ").append(target).append(
        " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    return client.ReadAll();
  }
};

TEST_F(TryOutTest, EchoSendsTheBodyBackBeforeItHasEnded) {
  Run([&] {
    Client client = Connect();
    client.Send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: text/x\r\n\r\n2\r\nab\r\n");
    const std::string first = client.ReadUntil("2\r\nab\r\n");
    EXPECT_THAT(first, HasSubstr("Content-Type: text/x\r\n"));
    EXPECT_THAT(client.Ask("1\r\nc\r\n0\r\nX-T: u\r\n\r\n"),
                EndsWith("1\r\nc\r\n0\r\nX-T: u\r\n\r\n"));
  });
}

TEST_F(TryOutTest, EchoKeepsAKnownLength) {
  Run([&] {
    EXPECT_THAT(Connect().Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
                EndsWith("Content-Length: 3\r\n\r\nabc"));
    EXPECT_THAT(Connect().Ask("POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
                EndsWith("Content-Length: 3\r\n\r\nabc"));
    EXPECT_THAT(Get("/echo"), EndsWith("Content-Length: 0\r\n\r\n"));
  });
}

TEST_F(TryOutTest, IgnoreAnswersBeforeTheBodyIsThere) {
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"),
                EndsWith("ignored\n"));
    EXPECT_THAT(client.Ask("abcGET /ignore HTTP/1.1\r\nHost: a\r\n\r\n"), EndsWith("ignored\n"));
  });
}

TEST_F(TryOutTest, StreamSendsItsChunksOneByOne) {
  Run([&] {
    EXPECT_THAT(Get("/stream?chunks=2&bytes=12"),
                EndsWith("\r\n\r\nc\r\n012345678901\r\nc\r\n012345678901\r\n0\r\n\r\n"));
    EXPECT_THAT(Get("/stream?chunks=2&bytes=1&delay_ms=1"),
                EndsWith("\r\n\r\n1\r\n0\r\n1\r\n0\r\n0\r\n\r\n"));
    EXPECT_THAT(Get("/stream?chunks=0"), EndsWith("\r\n\r\n0\r\n\r\n"));
  });
}

TEST_F(TryOutTest, StatusAnswersWithItsCode) {
  Run([&] {
    EXPECT_THAT(Get("/status"), StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(Get("/status?code=503"), EndsWith("\r\n\r\n503 Service Unavailable\n"));
    EXPECT_THAT(Get("/status?code=204"), Not(HasSubstr("Content-")));
    EXPECT_THAT(Get("/status?code=599"), StartsWith("HTTP/1.1 599 \r\n"));
    for (const char* bad : {"199", "600", "x", "-1", ""}) {
      EXPECT_THAT(Get(std::string("/status?code=") + bad), StartsWith("HTTP/1.1 400 ")) << bad;
    }
  });
}

TEST_F(TryOutTest, WhatIsOutOfBoundsIsRefusedWithTheBounds) {
  Run([&] {
    EXPECT_THAT(Get("/stream?bytes=1048577"),
                EndsWith("?bytes: '1048577' is no integer from 1 to 1048576\r\n"));
    EXPECT_THAT(Get("/stream?chunks=1000001"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(Get("/stream?delay_ms=60001"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(Get("/sleep?seconds=3601"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(Get("/fail?after_bytes=-1"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(Get("/sleep?second=1"), EndsWith("known are: seconds, cancel_on_disconnect\r\n"));
  });
}

TEST_F(TryOutTest, SleepAnswersAfterwards) {
  Run([&] { EXPECT_THAT(Get("/sleep?seconds=0.001"), EndsWith("slept 0.001 s\n")); });
}

TEST_F(TryOutTest, SleepEndsWithItsClientWhereAskedTo) {
  Run([&] {
    Connect().Send("GET /sleep?seconds=3600&cancel_on_disconnect=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(server_->AwaitIdle().ok());
    EXPECT_EQ(stats_.handler_failures, 0);
  });
}

TEST_F(TryOutTest, FailBreaksOffBeforeOrAmidTheBody) {
  Run([&] {
    EXPECT_THAT(Get("/fail"), StartsWith("HTTP/1.1 500 "));
    const std::string cut = Get("/fail?after_bytes=12");
    EXPECT_THAT(cut, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(cut, EndsWith("\r\n\r\nc\r\n012345678901\r\n"));
  });
}

}  // namespace
}  // namespace grove::handlers
