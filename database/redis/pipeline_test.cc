#include "database/redis/pipeline.h"

#include <string>
#include <vector>

#include "database/redis/redis_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::redis {
namespace {

using Peer = FakeRedis::Peer;

// On invented time, beside a server of canned answers.
class PipelineTest : public HubTest {
 protected:
  void With(std::function<void(Peer&, int)> serve, std::function<void(FakeRedis&, Client&)> body,
            ClientOptions options = {}) {
    Run([&] {
      FakeRedis server(std::move(serve));
      options.server.unix_socket = server.Options().unix_socket;
      std::unique_ptr<Client> client = *Client::Create(options);
      body(server, *client);
      client->Close();
    });
  }
  static FiberHandle Asks(Client& client, const std::string& key, absl::StatusOr<Value>& answer) {
    return *Spawn("asks", [&client, key, &answer] { answer = client.Run({"GET", key}); });
  }
};

// Answers GET k by k.
void Echo(Peer& peer, int) {
  for (std::string words = peer.Next(); !words.empty(); words = peer.Next()) {
    peer.Say("+" + words.substr(words.find(' ') + 1) + "\r\n");
  }
}

TEST_F(PipelineTest, WhatIsAskedInOneTurnLeavesInOneWriteAndEachGetsItsOwn) {
  int reads = 0;
  const auto serve = [&](Peer& peer, int) {
    Echo(peer, 0);
    reads = peer.reads;
  };
  With(serve, [&](FakeRedis&, Client& client) {
    EXPECT_EQ(*client.Run({"GET", "first"})->String(), "first");
    const uint64_t writes = client.stats().pipeline.writes;
    std::vector<absl::StatusOr<Value>> answers(50);
    std::vector<FiberHandle> fibers;
    fibers.reserve(50);
    for (int i = 0; i < 50; ++i) {
      fibers.push_back(Asks(client, std::to_string(i), answers[i]));
    }
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    for (int i = 0; i < 50; ++i) EXPECT_EQ(*answers[i]->String(), std::to_string(i));
    const ClientStats stats = client.stats();
    EXPECT_EQ(stats.pipeline.writes - writes, 1u);
    EXPECT_EQ(stats.pipeline.commands, 51u);
    EXPECT_EQ(stats.pipeline.replies, 51u);
    EXPECT_EQ(stats.pipeline.in_flight, 0u);
    EXPECT_EQ(stats.wire.connects, 1u);
  });
  EXPECT_EQ(reads, 3);  // the greeting, the first, the fifty
}

TEST_F(PipelineTest, AFiberThatLeavesLeavesTheOthersTheirReplies) {
  Event answer;
  const auto serve = [&](Peer& peer, int) {
    std::vector<std::string> keys;
    while (keys.size() < 3) keys.push_back(peer.Next().substr(4));
    EXPECT_TRUE(answer.Wait().ok());
    for (const std::string& key : keys) peer.Say("+" + key + "\r\n");
    peer.Hang();
  };
  With(serve, [&](FakeRedis& server, Client& client) {
    absl::StatusOr<Value> a, b, c;
    FiberHandle first = Asks(client, "a", a);
    FiberHandle second = *Spawn("bounded", [&] {
      Timeout timeout(absl::Seconds(1));
      b = client.Run({"GET", "b"});
    });
    FiberHandle third = Asks(client, "c", c);
    EXPECT_TRUE(second.Join().ok());
    EXPECT_TRUE(absl::IsDeadlineExceeded(b.status())) << b.status();
    first.Cancel();
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(a.status())) << a.status();
    EXPECT_EQ(client.stats().pipeline.in_flight, 3u);
    answer.Set();
    EXPECT_TRUE(third.Join().ok());
    EXPECT_EQ(*c->String(), "c");
    EXPECT_EQ(client.stats().pipeline.dropped, 2u);
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST_F(PipelineTest, WhatWasNotSentWhenItsFiberLeavesIsNeverSent) {
  std::vector<std::string> got;
  const auto serve = [&](Peer& peer, int) {
    for (std::string words = peer.Next(); !words.empty(); words = peer.Next()) {
      got.push_back(words);
      peer.Say("+x\r\n");
    }
  };
  With(serve, [&](FakeRedis&, Client& client) {
    absl::StatusOr<Value> b;
    FiberHandle leaves = Asks(client, "b", b);
    Yield();
    EXPECT_EQ(client.stats().pipeline.queued, 1u);  // it is connecting
    leaves.Cancel();
    EXPECT_TRUE(client.Run({"GET", "c"}).ok());
    EXPECT_TRUE(leaves.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(b.status()));
    EXPECT_EQ(client.stats().pipeline.unsent, 1u);
  });
  EXPECT_EQ(got, (std::vector<std::string>{"GET c"}));
}

TEST_F(PipelineTest, AfterABreakOnlyWhatMayBeRepeatedIsSentAgain) {
  std::vector<std::string> second;
  const auto serve = [&](Peer& peer, int number) {
    if (number == 0) {
      for (int i = 0; i < 2; ++i) (void)peer.Next();
      return;  // closes
    }
    for (std::string words = peer.Next(); !words.empty(); words = peer.Next()) {
      second.push_back(words);
      peer.Say(":1\r\n");
    }
  };
  With(serve, [&](FakeRedis& server, Client& client) {
    absl::StatusOr<Value> once, twice;
    FiberHandle incr = *Spawn("incr", [&] { once = client.Run({"INCR", "n"}); });
    FiberHandle set = *Spawn("set", [&] {
      twice = client.Run(Command({"SET", "k", "v"}).MayRepeat());
    });
    EXPECT_TRUE(incr.Join().ok());
    EXPECT_TRUE(set.Join().ok());
    EXPECT_TRUE(absl::IsUnavailable(once.status())) << once.status();
    EXPECT_TRUE(twice.ok()) << twice.status();
    EXPECT_EQ(client.stats().pipeline.lost, 2u);
    EXPECT_EQ(client.stats().pipeline.repeated, 1u);
    EXPECT_TRUE(client.Run({"INCR", "n"}).ok()) << "the next connection serves";
    EXPECT_EQ(server.connections(), 2);
  });
  EXPECT_EQ(second, (std::vector<std::string>{"SET k v", "INCR n"}));
}

TEST_F(PipelineTest, ItIsRepeatedOnceAndNoMore) {
  const auto serve = [&](Peer& peer, int) { (void)peer.Next(); };
  With(serve, [&](FakeRedis& server, Client& client) {
    EXPECT_TRUE(absl::IsUnavailable(client.Run(Command({"GET", "k"}).MayRepeat()).status()));
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST_F(PipelineTest, WrongBytesEndTheConnectionAndWhoWaits) {
  const auto serve = [&](Peer& peer, int number) {
    (void)peer.Next();
    peer.Say(number == 0 ? "HTTP/1.1 200 OK\r\n" : "+fine\r\n");
    peer.Hang();
  };
  With(serve, [&](FakeRedis&, Client& client) {
    const absl::Status bad = client.Run({"GET", "k"}).status();
    EXPECT_TRUE(absl::IsUnavailable(bad));
    EXPECT_NE(bad.message().find("no RESP"), std::string::npos) << bad;
    EXPECT_EQ(client.Run({"GET", "k"})->text(), "fine");
    EXPECT_EQ(client.stats().pipeline.breaks, 1u);
  });
}

TEST_F(PipelineTest, AReplyThatNobodyHasAskedForEndsTheConnection) {
  const auto serve = [&](Peer& peer, int number) {
    (void)peer.Next();
    peer.Say(number == 0 ? "+one\r\n+two\r\n" : "+fine\r\n");
    peer.Hang();
  };
  With(serve, [&](FakeRedis&, Client& client) {
    EXPECT_EQ(client.Run({"GET", "k"})->text(), "one");
    EXPECT_EQ(client.Run({"GET", "k"})->text(), "fine");
  });
}

TEST_F(PipelineTest, PushesAreNoReplies) {
  const auto serve = [&](Peer& peer, int) {
    (void)peer.Next();
    peer.Say(">2\r\n+invalidate\r\n*1\r\n+k\r\n+mine\r\n");
    peer.Hang();
  };
  With(serve, [&](FakeRedis&, Client& client) {
    EXPECT_EQ(client.Run({"GET", "k"})->text(), "mine");
  });
}

TEST_F(PipelineTest, AReplyOverTheLimitIsToldToItsFiber) {
  const auto serve = [&](Peer& peer, int) {
    (void)peer.Next();
    peer.Say("$2000000\r\n");
    peer.Hang();
  };
  ClientOptions options;
  options.server.reply.bytes_max = 1'000'000;
  With(
      serve,
      [&](FakeRedis&, Client& client) {
        EXPECT_TRUE(absl::IsResourceExhausted(client.Run({"GET", "k"}).status()));
      },
      options);
}

TEST_F(PipelineTest, AServerThatIsSilentIsGivenUp) {
  const auto serve = [&](Peer& peer, int) { peer.Hang(); };
  With(serve, [&](FakeRedis&, Client& client) {
    const MonotonicNanos began = hub_->now();
    const absl::Status silent = client.Run({"GET", "k"}).status();
    EXPECT_TRUE(absl::IsUnavailable(silent)) << silent;
    EXPECT_EQ(absl::Nanoseconds(hub_->now() - began), absl::Seconds(60));
  });
}

TEST_F(PipelineTest, TheWatchOverRepliesCountsFromWhatIsOwed) {
  const auto serve = [&](Peer& peer, int) {
    (void)peer.Next();
    peer.Say("+a\r\n");
    (void)peer.Next();
    EXPECT_TRUE(Sleep(absl::Seconds(59)).ok());
    peer.Say("+b\r\n");
    peer.Hang();
  };
  With(serve, [&](FakeRedis&, Client& client) {
    EXPECT_TRUE(client.Run({"GET", "k"}).ok());
    EXPECT_TRUE(Sleep(absl::Seconds(50)).ok());
    EXPECT_TRUE(client.Run({"GET", "k"}).ok()) << "idle time is not silence";
  });
}

TEST_F(PipelineTest, NobodyThereIsToldAtOnceUntilTheNextTry) {
  Run([&] {
    TestFolder folder;
    std::unique_ptr<Client> client =
        *Client::Create({.server = {.unix_socket = folder.File("nobody")}});
    const absl::Status first = client->Run({"PING"}).status();
    EXPECT_TRUE(absl::IsUnavailable(first)) << first;
    EXPECT_EQ(client->Run({"PING"}).status(), first);
    EXPECT_EQ(client->stats().wire.connect_failures, 1u) << "the second one did not try";
    EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
    EXPECT_TRUE(absl::IsUnavailable(client->Run({"PING"}).status()));
    EXPECT_EQ(client->stats().wire.connect_failures, 2u);
    client->Close();
  });
}

TEST_F(PipelineTest, DepthIsBoundedAndOthersWaitTheirTurn) {
  Event answer;
  size_t most = 0;
  const auto serve = [&](Peer& peer, int) {
    EXPECT_TRUE(answer.Wait().ok());
    Echo(peer, 0);
  };
  ClientOptions options;
  options.pipeline.depth_max = 2;
  With(
      serve,
      [&](FakeRedis&, Client& client) {
        std::vector<absl::StatusOr<Value>> answers(5);
        std::vector<FiberHandle> fibers;
        fibers.reserve(5);
        for (int i = 0; i < 5; ++i) fibers.push_back(Asks(client, std::to_string(i), answers[i]));
        EXPECT_TRUE(Sleep(absl::Milliseconds(1)).ok());
        const PipelineStats stats = client.stats().pipeline;
        most = stats.in_flight + stats.queued;
        EXPECT_EQ(stats.waiting, 3u);
        answer.Set();
        for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
        for (int i = 0; i < 5; ++i) EXPECT_EQ(answers[i]->text(), std::to_string(i));
      },
      options);
  EXPECT_EQ(most, 2u);
}

TEST_F(PipelineTest, ARequestTooLargeIsRefused) {
  ClientOptions options;
  options.pipeline.request_bytes_max = 1000;
  With(
      Echo,
      [&](FakeRedis&, Client& client) {
        EXPECT_TRUE(
            absl::IsInvalidArgument(client.Run({"SET", "k", std::string(1000, 'x')}).status()));
        EXPECT_TRUE(client.Run({"GET", "k"}).ok());
      },
      options);
}

TEST_F(PipelineTest, CloseEndsWhoWaits) {
  const auto serve = [&](Peer& peer, int) { peer.Hang(); };
  With(serve, [&](FakeRedis&, Client& client) {
    absl::StatusOr<Value> answer;
    FiberHandle asks = Asks(client, "k", answer);
    EXPECT_TRUE(Sleep(absl::Milliseconds(1)).ok());
    EXPECT_EQ(client.stats().pipeline.in_flight, 1u);
    client.Close();
    EXPECT_TRUE(asks.Join().ok());
    EXPECT_TRUE(absl::IsAborted(answer.status())) << answer.status();
    EXPECT_TRUE(absl::IsAborted(client.Run({"GET", "k"}).status()));
  });
}

TEST_F(PipelineTest, ItMayDieWithoutCloseWhileItIsConnected) {
  Run([&] {
    FakeRedis server(Echo);
    std::unique_ptr<Client> client = *Client::Create({.server = server.Options()});
    EXPECT_TRUE(client->Run({"GET", "k"}).ok());
    client.reset();
    EXPECT_TRUE(Sleep(absl::Milliseconds(1)).ok());
  });
}

}  // namespace
}  // namespace grove::redis
