// How connections end that their clients did not ask the end of: Connection::Linger().
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/http/serving/connection.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class LingeringTest : public ServerFixture {
 protected:
  LingeringTest() {
    Handle("GET", "/",
           [](Request&, Response& response) { return response.Send(200, "text/plain", "hello"); });
  }
};

TEST_F(LingeringTest, ReadsOnAfterACloseThatTheClientDidNotAskFor) {
  options_.requests_per_connection_max = 1;
  options_.lingering_timeout = kTestTimeout;
  Run([&] {
    for (const char* keep_alive : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                   "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"}) {
      Client client = Connect();
      EXPECT_THAT(client.Ask(keep_alive), HasSubstr("\r\nConnection: close\r\n"));
      EXPECT_EQ(client.ReadOnce(), "") << "our end is told at once";
      client.Send(kGet);
      client.Send(kGet);
      EXPECT_EQ(stats_.open, 1u) << "it waits for the client's";
      EXPECT_EQ(stats_.running, 0u) << "without a request";
      EXPECT_EQ(client.ReadOnce(), "") << "no reset";
      client = Client(Socket());
      while (stats_.open > 0) Yield();
    }
  });
  EXPECT_EQ(stats_.requests, 2u);
}

TEST_F(LingeringTest, ReadsOnForNoLongerThanASilence) {
  options_.requests_per_connection_max = 1;
  options_.lingering_timeout = absl::Milliseconds(5);
  Run([&] {
    Client silent = Connect();
    EXPECT_THAT(silent.Ask(kGet), EndsWith("hello"));
    while (stats_.open > 0) ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
    EXPECT_FALSE(silent.socket().Write(kGet).ok()) << "it is closed now";
  });
}

TEST_F(LingeringTest, ReadsOnForNoLongerThanItsTime) {
  options_.requests_per_connection_max = 1;
  options_.lingering_time = absl::Seconds(10);
  options_.lingering_timeout = absl::Seconds(2);
  Run([&] {
    Client endless = Connect();
    EXPECT_THAT(endless.Ask(kGet), EndsWith("hello"));
    const MonotonicNanos before = clock_.Now();
    while (endless.socket().Write("x").ok() && Sleep(absl::Seconds(1)).ok()) {
    }
    EXPECT_EQ((clock_.Now() - before) / 1'000'000'000, 10);
  });
}

// A proxy sends all of a body before it looks at the answer.
TEST_F(LingeringTest, AnEarlyAnswerReachesAClientThatSendsEverythingFirst) {
  constexpr int64_t kBody = 40 << 20;
  Run([&] {
    Client client = Connect();
    client.Send(absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ", kBody, "\r\n\r\n"));
    const std::string piece(1 << 20, 'x');
    for (int64_t sent = 0; sent < kBody; sent += 1 << 20) client.Send(piece);
    EXPECT_THAT(client.ReadAll(), HasSubstr("413 "));
  });
}

TEST_F(LingeringTest, ADrainGivesAClientThatStillSendsLessTime) {
  options_.requests_per_connection_max = 1;
  options_.lingering_time = absl::Seconds(30);
  options_.lingering_timeout = absl::Seconds(5);
  Run([&] {
    Client endless = Connect();
    EXPECT_THAT(endless.Ask(kGet), EndsWith("hello"));
    EXPECT_EQ(endless.ReadOnce(), "");
    server_->Drain();
    const MonotonicNanos before = clock_.Now();
    while (endless.socket().Write("x").ok() && Sleep(absl::Seconds(1)).ok()) {
    }
    EXPECT_EQ((clock_.Now() - before) / 1'000'000'000, 5);
  });
}

TEST_F(LingeringTest, ClosesAtOnceWhereTheClientAskedForItAndLeftNothing) {
  options_.lingering_timeout = kTestTimeout;
  Run([&] {
    for (const char* last :
         {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
      Client client = Connect();
      EXPECT_THAT(client.Ask(last), EndsWith("hello"));
      EXPECT_EQ(client.ReadOnce(), "");
      while (stats_.open > 0) Yield();
      EXPECT_FALSE(client.socket().Write(kGet).ok());
    }
    Client more = Connect();
    EXPECT_THAT(more.Ask(std::string("GET / HTTP/1.0\r\n\r\n") + kGet), EndsWith("hello"));
    EXPECT_EQ(more.ReadOnce(), "");
    EXPECT_EQ(stats_.open, 1u) << "it has left something";
  });
}

TEST_F(LingeringTest, ADrainWaitsForAStagedCloseAsLongAsForNothingElse) {
  options_.lingering_timeout = absl::Milliseconds(5);
  Event go;
  Handle("GET", "/wait", [&](Request&, Response& response) {
    EXPECT_TRUE(go.Wait().ok());
    return response.Send(200, "", "late");
  });
  Run([&] {
    Client client = Connect();
    client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    while (stats_.running == 0) Yield();
    server_->Drain();
    go.Set();
    EXPECT_THAT(client.ReadOnce(), HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_EQ(stats_.open, 1u);
    client.Send(kGet);
    EXPECT_TRUE(server_->AwaitIdle().ok()) << "though the client does not close";
  });
}

}  // namespace
}  // namespace grove::http
