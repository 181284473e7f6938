#include "server/http/serving/server.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "server/http/serving/connection.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class ServerTest : public ServerFixture {
 protected:
  ServerTest() {
    Handle("GET", "/",
           [](Request&, Response& response) { return response.Send(200, "", "hello"); });
    Handle("GET", "/wait", [this](Request&, Response& response) -> absl::Status {
      ++waiting_;
      if (absl::Status waited = go_.Wait(); !waited.ok()) return waited;
      return response.Send(200, "", "late");
    });
  }
  // Listens on a free port of loopback.
  void Listen(Sharing sharing = Sharing::kAlone) {
    const int fd = *BindListener(*SocketAddress::Parse("127.0.0.1:0"));
    address_ = SocketAddress::OfLocal(fd);
    serving_ = *Spawn("serve", [this, fd, sharing] {
      return server_->Serve(*Listener::Adopt(fd), nullptr, sharing);
    });
  }
  Client ConnectTcp() { return Client(*Socket::Connect(address_)); }
  void StopListening() {
    server_->Drain();
    EXPECT_TRUE(serving_.Join().ok());
    serving_ = FiberHandle();
  }

  SocketAddress address_;
  FiberHandle serving_;
  Event go_;
  int waiting_ = 0;
};

TEST_F(ServerTest, ServesManyConnectionsAtOnce) {
  Run([&] {
    Listen();
    std::vector<Client> clients;
    clients.reserve(50);
    for (int i = 0; i < 50; ++i) clients.push_back(ConnectTcp());
    for (Client& client : clients) client.Send(kGet);
    for (Client& client : clients) EXPECT_THAT(client.ReadOnce(), EndsWith("hello"));
    EXPECT_EQ(stats_.open, 50);
    StopListening();
  });
  EXPECT_EQ(stats_.requests, 50);
  EXPECT_GT(stats_.bytes_in, 50 * 20);
  EXPECT_GT(stats_.bytes_out, 50 * 20);
}

// Requests on two connections that come in one turn.
class TogetherTest : public ServerTest {
 protected:
  TogetherTest() {
    Handle("GET", "/look", [this](Request&, Response& response) {
      sent_.push_back(std::any_of(clients_.begin(), clients_.end(), [](Client& client) {
        char byte;
        return recv(client.socket().fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
      }));
      return response.Send(200, "", "seen");
    });
  }
  void Connect() {
    clients_.push_back(ServerTest::Connect());
    clients_.push_back(ServerTest::Connect());
  }
  // For each of the two, whether an answer to the other had been sent when it was handled.
  // `turn`: how long the turn before lasts.
  std::vector<bool> Ask(absl::Duration turn) {
    sent_.clear();
    for (Client& client : clients_) client.Send("GET /look HTTP/1.1\r\nHost: a\r\n\r\n");
    clock_.Advance(turn);
    for (Client& client : clients_) EXPECT_THAT(client.ReadOnce(), EndsWith("seen"));
    return sent_;
  }

  std::vector<Client> clients_;
  std::vector<bool> sent_;
};

TEST_F(TogetherTest, AreAnsweredBeforeAnAnswerIsSentUnlessTurnsAreLong) {
  Run([&] {
    Connect();
    EXPECT_THAT(Ask(kBriefTurn - absl::Nanoseconds(1)), ElementsAre(false, false));
    EXPECT_THAT(Ask(kBriefTurn), ElementsAre(false, true));
    clients_.clear();
  });
}

TEST_F(TogetherTest, AreAnsweredOneByOneWhereManyFibersAreRunnable) {
  Run([&] {
    Connect();
    bool enough = false;
    std::vector<FiberHandle> busy;
    while (busy.size() <= kFewRunnable + 1) {
      busy.push_back(*Spawn("busy", [&enough] {
        while (!enough) Yield();
      }));
    }
    EXPECT_THAT(Ask(absl::ZeroDuration()), ElementsAre(false, true));
    enough = true;
    for (FiberHandle& fiber : busy) EXPECT_TRUE(fiber.Join().ok());
    clients_.clear();
  });
}

TEST_F(ServerTest, LeavesConnectionsOverItsMaximumInTheBacklogIfNoneMakesRoom) {
  options_.connections_max = 2;
  options_.request_grace = absl::InfiniteDuration();
  int told = 0;
  options_.on_full = [&] { ++told; };
  Run([&] {
    Listen();
    Client first = ConnectTcp();
    Client second = ConnectTcp();
    EXPECT_THAT(first.Ask(kGet), EndsWith("hello"));
    EXPECT_THAT(second.Ask(kGet), EndsWith("hello"));
    Client third = ConnectTcp();
    third.Send(kGet);
    for (int i = 0; i < 10; ++i) Yield();
    EXPECT_EQ(stats_.open, 2);
    EXPECT_EQ(stats_.connections, 2);
    first.socket().Close();
    EXPECT_THAT(third.ReadOnce(), EndsWith("hello"));
    StopListening();
  });
  EXPECT_GE(told, 1);
  EXPECT_EQ(static_cast<uint64_t>(told), stats_.connections_full);
  EXPECT_EQ(stats_.connections_evicted, 0u);
}

TEST_F(ServerTest, AtItsMaximumTheOneThatWaitsLongestMakesRoom) {
  options_.connections_max = 4;
  const auto pause = [] { ASSERT_TRUE(Sleep(absl::Seconds(1)).ok()); };
  Run([&] {
    Listen();
    Client works = ConnectTcp();
    works.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    pause();
    Client half = ConnectTcp();
    half.Send("GET / HT");
    pause();
    Client idle = ConnectTcp();
    EXPECT_THAT(idle.Ask(kGet), EndsWith("hello"));
    pause();
    Client fresh = ConnectTcp();
    pause();
    std::vector<Client> later;
    for (Client* oldest : {&half, &idle, &fresh}) {
      Client next = ConnectTcp();
      EXPECT_THAT(next.Ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                  EndsWith("hello"));
      EXPECT_EQ(oldest->ReadAll(), "");
      later.push_back(ConnectTcp());
      EXPECT_THAT(later.back().Ask(kGet), EndsWith("hello"));
    }
    go_.Set();
    EXPECT_THAT(works.ReadOnce(), EndsWith("late"));
    StopListening();
  });
  EXPECT_GE(stats_.connections_evicted, 3u);
}

TEST_F(ServerTest, AWorkerAheadOfTheOthersLetsThemGoFirst) {
  std::vector<WorkerLoad> others = {{.accepts = true, .open = 0, .last_turn = 1}};
  options_.other_workers = [&] {
    ++others[0].last_turn;
    return others;
  };
  Run([&] {
    Listen(Sharing::kWithOtherWorkers);
    std::vector<Client> crowd;
    crowd.reserve(12);
    for (int i = 0; i < 12; ++i) crowd.push_back(ConnectTcp());
    while (stats_.open < AcceptShare::kAheadMax) Yield();
    for (int i = 0; i < 10; ++i) Yield();
    EXPECT_EQ(stats_.open, AcceptShare::kAheadMax);
    others[0].open = 3;
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(Sleep(kChanceLookPeriod).ok());
    EXPECT_EQ(stats_.open, AcceptShare::kAheadMax + 3);
    while (stats_.open < crowd.size()) ASSERT_TRUE(Sleep(kChanceLookPeriod).ok());
    StopListening();
  });
}

TEST_F(ServerTest, ChangesRoutesAndLimitsForTheNextRequestOfAnOpenConnection) {
  Event entered, leave;
  Handle("GET", "/old", [&](Request&, Response& response) {
    entered.Set();
    EXPECT_TRUE(leave.Wait().ok());
    return response.Write("old");
  });
  Run([&] {
    Client client = Connect();
    client.Send("GET /old HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(entered.Wait().ok());
    Router router;
    const Handler handler = [](Request&, Response& response) { return response.Write("new"); };
    ASSERT_TRUE(router.Add("POST", "/", handler).ok());
    ServerOptions options = options_;
    options.body_max_bytes = 3;
    server_->Change(options, std::move(router));
    leave.Set();
    EXPECT_TRUE(client.ReadUntil("\r\n0\r\n\r\n").find("old") != std::string::npos);
    client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_TRUE(client.ReadUntil("\r\n0\r\n\r\n").find("new") != std::string::npos);
    client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd");
    EXPECT_TRUE(client.ReadAll().find(" 413 ") != std::string::npos);
  });
}

TEST_F(ServerTest, RefusesToAdoptBeyondItsMaximum) {
  options_.connections_max = 1;
  Run([&] {
    Client first = Connect();
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    Client second(*Socket::Adopt(fds[1]));
    EXPECT_TRUE(absl::IsResourceExhausted(server_->Adopt(*Socket::Adopt(fds[0]))));
    EXPECT_EQ(second.ReadAll(), "");
  });
}

TEST_F(ServerTest, ClosesIdleConnectionsAtOnceWhenItDrains) {
  options_.request_grace = absl::ZeroDuration();
  Run([&] {
    Client used = Connect();
    EXPECT_THAT(used.Ask(kGet), EndsWith("hello"));
    server_->Drain();
    EXPECT_EQ(used.ReadAll(), "");
    EXPECT_TRUE(server_->AwaitIdle().ok());
  });
}

TEST_F(ServerTest, ServesTheFirstRequestOfAClientThatConnectedJustBeforeItDrains) {
  Run([&] {
    Client waiting = Connect();
    Yield();
    Client unseen = Connect();
    server_->Drain();
    for (Client* client : {&waiting, &unseen}) {
      client->Send(kGet);
      const std::string response = client->ReadAll();
      EXPECT_THAT(response, HasSubstr("Connection: close"));
      EXPECT_THAT(response, EndsWith("hello"));
    }
  });
}

TEST_F(ServerTest, ClosesUnusedConnectionsSoonWhenItDrains) {
  options_.request_grace = absl::Milliseconds(1);
  Run([&] {
    Client waiting = Connect();
    Yield();
    Client unseen = Connect();
    server_->Drain();
    EXPECT_EQ(waiting.ReadAll(), "");
    EXPECT_EQ(unseen.ReadAll(), "");
  });
}

TEST_F(ServerTest, FinishesWhatRunsWhenItDrains) {
  Run([&] {
    Client client = Connect();
    client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    while (waiting_ == 0) Yield();
    server_->Drain();
    Yield();
    EXPECT_EQ(stats_.running, 1);
    go_.Set();
    const std::string response = client.ReadAll();
    EXPECT_THAT(response, HasSubstr("Connection: close"));
    EXPECT_THAT(response, EndsWith("late"));
  });
}

TEST_F(ServerTest, ServesARequestThatCameJustBeforeItDrains) {
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask(kGet), EndsWith("hello"));
    client.Send(kGet);
    server_->Drain();
    const std::string response = client.ReadAll();
    EXPECT_THAT(response, HasSubstr("Connection: close"));
    EXPECT_THAT(response, EndsWith("hello"));
  });
}

TEST_F(ServerTest, ServesTheNextRequestOfAClientThatWasJustAnsweredWhenItDrains) {
  options_.request_grace = kTestTimeout;
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask(kGet), EndsWith("hello"));
    server_->Drain();
    for (int i = 0; i < 10; ++i) Yield();
    client.Send(kGet);
    const std::string response = client.ReadAll();
    EXPECT_THAT(response, HasSubstr("Connection: close"));
    EXPECT_THAT(response, EndsWith("hello"));
  });
}

TEST_F(ServerTest, ServesTheNextRequestThatAHeadSentBeforeTheDrainPromised) {
  options_.request_grace = kTestTimeout;
  Handle("GET", "/stream", [this](Request&, Response& response) -> absl::Status {
    if (absl::Status flushed = response.Flush(); !flushed.ok()) return flushed;
    return go_.Wait();
  });
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"),
                Not(HasSubstr("Connection: close")));
    server_->Drain();
    go_.Set();
    client.ReadUntil("0\r\n\r\n");
    client.Send(kGet);
    const std::string response = client.ReadAll();
    EXPECT_THAT(response, HasSubstr("Connection: close"));
    EXPECT_THAT(response, EndsWith("hello"));
  });
}

TEST_F(ServerTest, AnswersTheWholeBatchThatWasReadWhenItDrains) {
  Run([&] {
    Client client = Connect();
    client.Send(absl::StrCat("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", kGet, kGet));
    while (waiting_ == 0) Yield();
    server_->Drain();
    go_.Set();
    const std::string responses = client.ReadAll();
    const std::vector<std::string> parts = absl::StrSplit(responses, "HTTP/1.1 200 OK");
    ASSERT_EQ(parts.size(), 4);
    EXPECT_THAT(parts[1], EndsWith("late"));
    EXPECT_THAT(parts[2], Not(HasSubstr("Connection: close")));
    EXPECT_THAT(parts[3], HasSubstr("Connection: close"));
  });
}

TEST_F(ServerTest, AnEndlessBatchDoesNotHoldTheDrainUp) {
  Run([&] {
    Client client = Connect();
    client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    while (waiting_ == 0) Yield();
    server_->Drain();
    std::string batch;
    for (int i = 0; i < 2 * kDrainRequestsMax; ++i) batch += kGet;
    client.Send(batch);
    go_.Set();
    EXPECT_THAT(client.ReadAll(), HasSubstr("Connection: close"));
    EXPECT_LE(stats_.requests, 1 + kDrainRequestsMax);
  });
}

TEST_F(ServerTest, AdoptsNothingWhileItDrains) {
  Run([&] {
    server_->Drain();
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    Client client(*Socket::Adopt(fds[1]));
    EXPECT_TRUE(absl::IsUnavailable(server_->Adopt(*Socket::Adopt(fds[0]))));
  });
}

}  // namespace
}  // namespace grove::http
