#include "http/client/http2_pool.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/http2_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;

// Fetches at once, so many, from paths "/0", "/1" …; what came of each.
std::vector<absl::StatusOr<HttpResponse>> FetchAtOnce(Script& script, HttpClient& client,
                                                      int count) {
  std::vector<absl::StatusOr<HttpResponse>> results(static_cast<size_t>(count));
  FiberGroup group;
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(group
                    .Spawn("fetch",
                           [&, i] {
                             results[static_cast<size_t>(i)] =
                                 client.Fetch({.url = script.Url(StrCat("/", i))});
                           })
                    .ok());
  }
  EXPECT_TRUE(group.Join().ok());
  return results;
}

void ExpectAll(const std::vector<absl::StatusOr<HttpResponse>>& results) {
  for (const auto& result : results) EXPECT_TRUE(result.ok()) << result.status();
}

TEST(Http2Pool, ManyShareAConnection) {
  WithPeer(
      [](Http2Peer& peer, int) {
        std::vector<int32_t> ids(50);
        for (int32_t& id : ids) id = peer.Next();
        // Answered in another order than asked.
        for (auto id = ids.rbegin(); id != ids.rend(); ++id)
          peer.Answer(*id, peer.request(*id).path());
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        const auto results = FetchAtOnce(script, client, 50);
        for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i]->body, StrCat("/", i));
        EXPECT_EQ(script.connections(), 1);
        EXPECT_EQ(client.stats().pool.open, 1);
        EXPECT_EQ(client.stats().http2.idle, 1);
      });
}

TEST(Http2Pool, MakesAnotherWhenThoseThereAreFullAndThenWaits) {
  HttpClientOptions options = PriorKnowledge();
  options.pool.per_origin_max = 2;
  int serving = 0;
  Event both;
  WithPeer(
      [&](Http2Peer& peer, int) {
        const int32_t first = peer.Next();
        const int32_t second = peer.Next();
        EXPECT_EQ(second, 3);
        if (++serving == 2) both.Set();
        EXPECT_TRUE(both.Wait().ok());
        EXPECT_EQ(peer.requests(), 2);
        peer.Answer(first);
        peer.Answer(second);
        peer.AnswerAll();
      },
      [&](Script& script, HttpClient& client) {
        // The first one hears what the server allows.
        FiberHandle all = *Spawn("all", [&] { ExpectAll(FetchAtOnce(script, client, 9)); });
        EXPECT_TRUE(both.Wait().ok());
        EXPECT_EQ(client.stats().http2.streams, 4);
        EXPECT_EQ(client.stats().http2.waiting, 5);
        EXPECT_TRUE(all.Join().ok());
        EXPECT_EQ(script.connections(), 2);
        EXPECT_EQ(client.stats().http2.streams_made, 9);
      },
      options, {.streams_max = 2});
}

TEST(Http2Pool, LosesNoStreamToThoseWhoGiveUp) {
  HttpClientOptions options = PriorKnowledge();
  options.pool.per_origin_max = 1;
  WithPeer(
      [](Http2Peer& peer, int) {
        const int32_t first = peer.Next();
        EXPECT_TRUE(peer.Until([&] { return peer.request(first).reset.has_value(); }));
        peer.AnswerAll();
      },
      [](Script& script, HttpClient& client) {
        const auto fetch = [&] { return client.Fetch({.url = script.Url()}).status(); };
        FiberHandle first = *Spawn("first", fetch);
        while (client.stats().http2.streams < 1) Yield();
        FiberHandle second = *Spawn("second", fetch);
        FiberHandle third = *Spawn("third", fetch);
        while (client.stats().http2.waiting < 2) Yield();
        // Given the stream of the first, and cancelled before it could run.
        first.Cancel();
        second.Cancel();
        EXPECT_TRUE(third.Join().ok());
        EXPECT_TRUE(absl::IsCancelled(first.Join()));
        EXPECT_TRUE(absl::IsCancelled(second.Join()));
        EXPECT_EQ(script.connections(), 1);
      },
      options, {.streams_max = 1});
}

TEST(Http2Pool, AsksAgainWhatAGoodbyeLeavesOut) {
  std::string served;
  WithPeer(
      [&](Http2Peer& peer, int number) {
        if (number == 0) {
          const int32_t first = peer.Next();
          peer.Next();
          peer.GoAway(first);
          // What it has begun it ends.
          peer.Answer(first);
          EXPECT_FALSE(peer.Until([] { return false; }));
          EXPECT_EQ(peer.requests(), 2);
          return;
        }
        while (const int32_t id = peer.Next()) {
          served += peer.request(id).Field(":method");
          peer.Answer(id);
        }
      },
      [&](Script& script, HttpClient& client) {
        FiberHandle get =
            *Spawn("get", [&] { EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok()); });
        while (client.stats().http2.streams < 1) Yield();
        // Not idempotent: it is safe all the same.
        EXPECT_TRUE(client.Fetch({.url = script.Url(), .method = "POST", .body = "x"}).ok());
        EXPECT_TRUE(get.Join().ok());
        EXPECT_EQ(served, "POST");
        EXPECT_EQ(script.connections(), 2);
        EXPECT_EQ(client.stats().repeated, 1);
      });
}

TEST(Http2Pool, AsksAgainWhatWasRefusedButNotForEver) {
  int refused = 0;
  WithPeer(
      [&](Http2Peer& peer, int) {
        peer.Reset(peer.Next(), NGHTTP2_REFUSED_STREAM);
        peer.Answer(peer.Next());
        while (const int32_t id = peer.Next()) {
          ++refused;
          peer.Reset(id, NGHTTP2_REFUSED_STREAM);
        }
      },
      [&](Script& script, HttpClient& client) {
        EXPECT_TRUE(client.Fetch({.url = script.Url(), .method = "POST", .body = "x"}).ok());
        const absl::Status status = client.Fetch({.url = script.Url()}).status();
        EXPECT_TRUE(absl::IsUnavailable(status)) << status;
        EXPECT_THAT(std::string(status.message()), HasSubstr("REFUSED_STREAM"));
        EXPECT_EQ(refused, 4);
        // A source is used up.
        bool asked = false;
        const auto source = [&]() -> absl::StatusOr<std::string> {
          return std::exchange(asked, true) ? "" : "body";
        };
        EXPECT_TRUE(absl::IsUnavailable(
            client.Fetch({.url = script.Url(), .method = "PUT", .source = source}).status()));
        EXPECT_EQ(refused, 5);
        EXPECT_EQ(script.connections(), 1);
      });
}

TEST(Http2Pool, DoesNotAskAgainWhatAServerMayHaveDone) {
  WithPeer(
      [](Http2Peer& peer, int number) {
        if (number > 0) return peer.AnswerAll("again");
        peer.Answer(peer.Next());
        peer.Next();
        peer.Next();
        // Dies: nothing says what became of them.
      },
      [](Script& script, HttpClient& client) {
        EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
        absl::Status posted;
        FiberHandle post = *Spawn("post", [&] {
          posted = client.Fetch({.url = script.Url(), .method = "POST", .body = "x"}).status();
        });
        while (client.stats().http2.streams < 1) Yield();
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "again");
        EXPECT_TRUE(post.Join().ok());
        EXPECT_TRUE(absl::IsUnavailable(posted)) << posted;
        EXPECT_EQ(script.connections(), 2);
      });
}

TEST(Http2Pool, GoesBackToHttp1WhereTheServerAsksForIt) {
  WithScript(
      [](Socket& socket, int number) {
        if (number == 0) {
          Http2Peer peer(socket);
          peer.Reset(peer.Next(), NGHTTP2_HTTP_1_1_REQUIRED);
          while (peer.Pump()) {
          }
          return;
        }
        BufferedReader reader(socket);
        EXPECT_THAT(ReadHead(reader), HasSubstr("GET / HTTP/1.1\r\n"));
        EXPECT_TRUE(socket.Write(kOk).ok());
        ReadHead(reader);
      },
      [](Script& script, HttpClient& client) {
        const HttpResponse answer = *client.Fetch({.url = script.Url()});
        EXPECT_EQ(answer.body, "ok");
        EXPECT_EQ(answer.protocol, HttpProtocol::kHttp1);
      },
      PriorKnowledge());
}

TEST(Http2Pool, SharesRoomAmongOrigins) {
  HttpClientOptions options = PriorKnowledge();
  options.pool.connections_max = 1;
  WithPeer([](Http2Peer& peer, int) { peer.AnswerAll(); },
           [](Script& script, HttpClient& client) {
             const std::string other = StrCat("http://localhost:", script.port(), "/");
             EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
             // What is idle makes room.
             EXPECT_TRUE(client.Fetch({.url = other}).ok());
             EXPECT_EQ(client.stats().pool.evicted, 1);
             EXPECT_EQ(client.stats().pool.open, 1);
             // What is busy does when it ends, also if others would go on with it.
             FiberGroup group;
             for (int i = 0; i < 6; ++i) {
               const std::string url = i % 2 == 0 ? script.Url() : other;
               EXPECT_TRUE(group
                               .Spawn("fetch",
                                      [&, url] {
                                        for (int k = 0; k < 5; ++k) {
                                          EXPECT_TRUE(client.Fetch({.url = url}).ok());
                                        }
                                      })
                               .ok());
             }
             EXPECT_TRUE(group.Join().ok());
             EXPECT_LE(client.stats().pool.open, 1);
           },
           options);
}

TEST(Http2Pool, OneFindsOutAndTheOthersWait) {
  // Nobody listens: each has the error of a connection of its own.
  const std::unique_ptr<HttpClient> client = MakeClient(PriorKnowledge());
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    uint16_t port = 0;
    {
      Listener closed = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
      port = closed.LocalAddress().port();
    }
    FiberGroup group;
    int failed = 0;
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(
          group
              .Spawn("fetch",
                     [&] {
                       const absl::Status status =
                           client->Fetch({.url = StrCat("http://127.0.0.1:", port)}).status();
                       if (absl::IsUnavailable(status)) ++failed;
                     })
              .ok());
    }
    EXPECT_TRUE(group.Join().ok());
    EXPECT_EQ(failed, 20);
    EXPECT_EQ(client->stats().pool.open, 0);
    EXPECT_EQ(client->stats().http2.waiting, 0);
  });
}

// On invented time.
class Http2TimeTest : public HubTest {};

TEST_F(Http2TimeTest, ClosesWhatIsIdleWithAGoodbye) {
  Run([] {
    HttpClientOptions options = PriorKnowledge();
    options.http2_limits.ping_after = absl::Hours(1);
    std::optional<uint32_t> goaway;
    Script script([&](Socket& socket, int) {
      Http2Peer peer(socket);
      peer.AnswerAll();
      goaway = peer.goaway();
    });
    const std::unique_ptr<HttpClient> client = MakeClient(options);
    EXPECT_TRUE(client->Fetch({.url = script.Url()}).ok());
    EXPECT_TRUE(Sleep(options.pool.idle_max - absl::Seconds(1)).ok());
    EXPECT_EQ(client->stats().pool.open, 1);
    EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
    EXPECT_EQ(client->stats().pool.open, 0);
    EXPECT_TRUE(Sleep(absl::Seconds(2)).ok());
    EXPECT_EQ(goaway, uint32_t{NGHTTP2_NO_ERROR});
    EXPECT_TRUE(client->Fetch({.url = script.Url()}).ok());
    EXPECT_EQ(script.connections(), 2);
    // One that is alive is older than it may be.
    client->CloseIdle();
  });
}

TEST_F(Http2TimeTest, AsksWhetherASilentServerLives) {
  Run([] {
    size_t pings = 0;
    Script script([&](Socket& socket, int number) {
      // The first one answers pings, the second is deaf.
      Http2Peer peer(socket, {.answers_pings = number == 0});
      peer.Next();
      if (number == 0) {
        EXPECT_TRUE(peer.Until([&] { return peer.pings() == 3; }));
        peer.Answer(1);
        peer.Next();
      }
      while (peer.Pump()) {
      }
      pings += peer.pings();
    });
    HttpClientOptions options = PriorKnowledge();
    const std::unique_ptr<HttpClient> client = MakeClient(options);
    EXPECT_TRUE(client->Fetch({.url = script.Url()}).ok());
    client->CloseIdle();
    const MonotonicNanos began = Hub::Current()->now();
    const absl::Status dead = client->Fetch({.url = script.Url()}).status();
    EXPECT_TRUE(absl::IsUnavailable(dead)) << dead;
    EXPECT_THAT(std::string(dead.message()), HasSubstr("has not answered a ping for 15s"));
    EXPECT_EQ(absl::Nanoseconds(Hub::Current()->now() - began),
              options.http2_limits.ping_after + options.http2_limits.ping_timeout);
    EXPECT_EQ(client->stats().pool.open, 0);
    EXPECT_EQ(script.connections(), 2);
    EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
    EXPECT_EQ(pings, 3 + 1);
  });
}

TEST_F(Http2TimeTest, ItsConnectionsEndWithTheHubsRun) {
  const std::unique_ptr<HttpClient> client = MakeClient(PriorKnowledge());
  for (int i = 0; i < 2; ++i) {
    Run([&] {
      Script script([](Socket& socket, int) { Http2Peer(socket).AnswerAll(); });
      EXPECT_TRUE(client->Fetch({.url = script.Url()}).ok());
      EXPECT_EQ(client->stats().pool.open, 1);
    });
    EXPECT_EQ(client->stats().pool.open, 0);
    EXPECT_EQ(client->stats().http2.connections, 0);
  }
}

TEST_F(Http2TimeTest, GivesUpAConnectionThatIsTooOld) {
  Run([] {
    Script script([](Socket& socket, int) { Http2Peer(socket).AnswerAll(); });
    HttpClientOptions options = PriorKnowledge();
    options.pool.age_max = absl::Seconds(10);
    const std::unique_ptr<HttpClient> client = MakeClient(options);
    EXPECT_TRUE(client->Fetch({.url = script.Url()}).ok());
    EXPECT_TRUE(Sleep(absl::Seconds(11)).ok());
    EXPECT_TRUE(client->Fetch({.url = script.Url()}).ok());
    EXPECT_EQ(script.connections(), 2);
    client->CloseIdle();
  });
}

}  // namespace
}  // namespace grove::http
