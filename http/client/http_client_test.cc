#include "http/client/http_client.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/test_server.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/stream.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::unique_ptr<HttpClient> MakeClient(HttpClientOptions options = {}) {
  absl::StatusOr<std::unique_ptr<HttpClient>> client = HttpClient::Create(std::move(options));
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

// Runs `body` on a hub, beside a server of canned answers.
void WithServer(const std::function<void(TestServer&, HttpClient&)>& body,
                HttpClientOptions options = {}) {
  const std::unique_ptr<HttpClient> client = MakeClient(std::move(options));
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    TestServer server;
    body(server, *client);
    client->CloseIdle();
    server.Stop();
  });
  EXPECT_EQ(client->stats().pool.open, 0);
  EXPECT_EQ(hub->Stats().fibers_live, 0);
}

// A server that does with each connection what `serve` says, numbered from 0.
class Script {
 public:
  explicit Script(std::function<void(Socket&, int)> serve)
      : listener_(*Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")))),
        serve_(std::move(serve)) {
    EXPECT_TRUE(group_.Spawn("script", [this] { Accept(); }).ok());
  }
  ~Script() {
    group_.Cancel();
    group_.Join().IgnoreError();
  }
  std::string Url(std::string_view path = "/") const {
    return StrCat("http://", listener_.LocalAddress().ToString(), path);
  }
  uint16_t port() const { return listener_.LocalAddress().port(); }
  int connections() const { return connections_; }

 private:
  void Accept() {
    for (;;) {
      absl::StatusOr<Socket> socket = listener_.Accept();
      if (!socket.ok()) return;
      const int number = connections_++;
      auto held = std::make_shared<Socket>(*std::move(socket));
      EXPECT_TRUE(group_.Spawn("script", [this, held, number] { serve_(*held, number); }).ok());
    }
  }

  Listener listener_;
  std::function<void(Socket&, int)> serve_;
  int connections_ = 0;
  FiberGroup group_;
};

// A whole head, as a script reads it.
std::string ReadHead(BufferedReader& reader) {
  return reader.ReadUntil("\r\n\r\n", 1 << 20).value_or("");
}

void WithScript(const std::function<void(Socket&, int)>& serve,
                const std::function<void(Script&, HttpClient&)>& body,
                HttpClientOptions options = {}) {
  const std::unique_ptr<HttpClient> client = MakeClient(std::move(options));
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    Script script(serve);
    body(script, *client);
    client->CloseIdle();
  });
  EXPECT_EQ(client->stats().pool.open, 0);
}

TEST(HttpClient, AsksAndAnswers) {
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/a?b",
                  "HTTP/1.1 404 Gone Fishing\r\nX-One: 1\r\nx-two:  2 \r\n"
                  "Content-Length: 5\r\n\r\nhello");
    const auto answer = client.Fetch({.url = server.Url("/a?b"), .fields = {{"X-Mine", "yes"}}});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status, 404);
    EXPECT_EQ(answer->body, "hello");
    EXPECT_EQ(answer->url, server.Url("/a?b"));
    EXPECT_THAT(answer->fields,
                ElementsAre(Pair("X-One", "1"), Pair("x-two", "2"), Pair("Content-Length", "5")));
    EXPECT_EQ(answer->Field("X-TWO"), "2");
    EXPECT_EQ(server.requests()[0], StrCat("GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:", server.port(),
                                           "\r\nX-Mine: yes\r\nUser-Agent: grove\r\nAccept: */*\r\n"
                                           "Accept-Encoding: gzip, deflate\r\n\r\n"));
  });
}

TEST(HttpClient, KeepsItsConnection) {
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/length", std::string(kOk));
    server.Answer("/chunked",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1;x=y\r\no\r\n1\r\nk\r\n0\r\nSum: 7\r\n\r\n");
    server.Answer("/none", "HTTP/1.1 204 No Content\r\n\r\n");
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(client.Fetch({.url = server.Url("/length")})->body, "ok");
      const HttpResponse chunked = *client.Fetch({.url = server.Url("/chunked")});
      EXPECT_EQ(chunked.body, "ok");
      EXPECT_THAT(chunked.trailers, ElementsAre(Pair("Sum", "7")));
      EXPECT_EQ(client.Fetch({.url = server.Url("/none")})->body, "");
    }
    const PoolStats pool = client.stats().pool;
    EXPECT_EQ(pool.made, 1);
    EXPECT_EQ(pool.reused, 8);
    EXPECT_EQ(pool.idle, 1);
  });
}

TEST(HttpClient, ReadsUntilTheConnectionEnds) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.0 200 OK\r\n\r\nhello").ok());
        socket.Close();
      },
      [](Script& script, HttpClient& client) {
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "hello");
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "hello");
        EXPECT_EQ(script.connections(), 2);
      });
}

TEST(HttpClient, DropsAConnectionThatIsToEnd) {
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(client.Fetch({.url = server.Url("/")}).ok());
    EXPECT_EQ(client.stats().pool.open, 0);
    server.AwaitClosed(1);
  });
}

// A second answer in the first one's packet is nobody's.
TEST(HttpClient, TakesNoAnswerBeforeItsRequest) {
  for (const std::string extra : {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", "x"}) {
    WithScript(
        [&](Socket& socket, int) {
          BufferedReader reader(socket);
          while (!ReadHead(reader).empty()) {
            EXPECT_TRUE(socket.Write(StrCat(kOk, extra)).ok());
          }
        },
        [](Script& script, HttpClient& client) {
          EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
          EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
          EXPECT_EQ(script.connections(), 2);
        });
  }
}

TEST(HttpClient, SeesWhatCameToAnIdleConnection) {
  Event send;
  Event sent;
  WithScript(
      [&](Socket& socket, int number) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write(kOk).ok());
        if (number > 0 || !send.Wait().ok()) return;
        EXPECT_TRUE(socket.Write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged").ok());
        sent.Set();
        ReadHead(reader);
      },
      [&](Script& script, HttpClient& client) {
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
        send.Set();
        EXPECT_TRUE(sent.Wait().ok());
        const uint64_t polls = Hub::Current()->Stats().polls;
        while (Hub::Current()->Stats().polls < polls + 2) Yield();
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
        EXPECT_EQ(script.connections(), 2);
      });
}

TEST(HttpClient, NoticesThatTheServerHungUp) {
  Event close;
  WithScript(
      [&](Socket& socket, int number) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write(kOk).ok());
        if (number == 0) {
          EXPECT_TRUE(close.Wait().ok());
        }
        socket.Close();
      },
      [&](Script& script, HttpClient& client) {
        EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
        EXPECT_EQ(client.stats().pool.idle, 1);
        close.Set();
        while (client.stats().pool.idle == 1) Yield();
        EXPECT_EQ(client.stats().pool.hung_up, 1);
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

// The server closes while the next request is under way, and nobody could know.
TEST(HttpClient, RepeatsOnlyWhatMayBeRepeated) {
  const auto serve = [](Socket& socket, int number) {
    BufferedReader reader(socket);
    ReadHead(reader);
    EXPECT_TRUE(socket.Write(kOk).ok());
    if (number > 0) return;
    ReadHead(reader);  // and no answer
    socket.Close();
  };
  WithScript(serve, [](Script& script, HttpClient& client) {
    EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
    EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "ok");
    EXPECT_EQ(client.stats().repeated, 1);
    EXPECT_EQ(script.connections(), 2);
  });
  WithScript(serve, [](Script& script, HttpClient& client) {
    EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
    const absl::Status status = client.Fetch({.url = script.Url(), .method = "POST"}).status();
    EXPECT_TRUE(absl::IsUnavailable(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("closed the connection unanswered"));
    EXPECT_EQ(script.connections(), 1);
  });
  WithScript(serve, [](Script& script, HttpClient& client) {
    EXPECT_TRUE(client.Fetch({.url = script.Url()}).ok());
    EXPECT_TRUE(
        client.Fetch({.url = script.Url(), .method = "POST", .body = "x", .may_repeat = true})
            .ok());
    EXPECT_EQ(script.connections(), 2);
  });
}

TEST(HttpClient, DoesNotRepeatWhatWasAnsweredInPart) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart").ok());
        socket.Close();
      },
      [](Script& script, HttpClient& client) {
        const absl::Status status = client.Fetch({.url = script.Url()}).status();
        EXPECT_TRUE(absl::IsUnavailable(status));
        EXPECT_THAT(std::string(status.message()), HasSubstr("ended before the body did"));
        EXPECT_EQ(script.connections(), 1);
      });
}

TEST(HttpClient, SendsBodies) {
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/", std::string(kOk));
    EXPECT_TRUE(client.Fetch({.url = server.Url("/"), .method = "PUT", .body = "payload"}).ok());
    EXPECT_THAT(server.requests()[0], HasSubstr("PUT / HTTP/1.1\r\n"));
    EXPECT_THAT(server.requests()[0], HasSubstr("\r\nContent-Length: 7\r\n"));
    EXPECT_THAT(server.requests()[0], HasSubstr("\r\n\r\npayload"));
    EXPECT_TRUE(client.Fetch({.url = server.Url("/"), .method = "POST"}).ok());
    EXPECT_THAT(server.requests()[1], HasSubstr("\r\nContent-Length: 0\r\n"));
    EXPECT_TRUE(client.Fetch({.url = server.Url("/"), .method = "DELETE"}).ok());
    EXPECT_THAT(server.requests()[2], Not(HasSubstr("Content-Length")));
  });
}

TEST(HttpClient, SendsALargeBodyAndOneFromASource) {
  static constexpr size_t kBytes = 5'000'000;
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/", std::string(kOk));
    EXPECT_TRUE(
        client.Fetch({.url = server.Url("/"), .method = "POST", .body = std::string(900'000, 'x')})
            .ok());
    EXPECT_EQ(server.requests()[0].size() - server.requests()[0].find("\r\n\r\n") - 4, 900'000);
  });
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        EXPECT_THAT(ReadHead(reader), HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
        size_t bytes = 0;
        for (;;) {
          const size_t size = strtoul(reader.ReadLine()->c_str(), nullptr, 16);
          EXPECT_TRUE(reader.ReadExactly(size + 2).ok());
          if (size == 0) break;
          bytes += size;
        }
        EXPECT_EQ(bytes, kBytes);
        EXPECT_TRUE(socket.Write(kOk).ok());
        ReadHead(reader);
      },
      [](Script& script, HttpClient& client) {
        size_t left = kBytes;
        const auto source = [&left]() -> absl::StatusOr<std::string> {
          Yield();
          const size_t some = std::min<size_t>(left, 70'000);
          left -= some;
          return std::string(some, 'y');
        };
        EXPECT_TRUE(client.Fetch({.url = script.Url(), .method = "POST", .source = source}).ok());
        EXPECT_EQ(client.stats().pool.idle, 1);
      });
}

TEST(HttpClient, TellsWhyABodyFailed) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        while (reader.ReadExactly(1).ok()) continue;
      },
      [](Script& script, HttpClient& client) {
        const auto broken = []() -> absl::StatusOr<std::string> {
          return absl::DataLossError("no more of it");
        };
        EXPECT_TRUE(absl::IsDataLoss(
            client.Fetch({.url = script.Url(), .method = "POST", .source = broken}).status()));
        const auto one = [n = 0]() mutable -> absl::StatusOr<std::string> {
          return n++ == 0 ? "x" : "";
        };
        EXPECT_TRUE(absl::IsInvalidArgument(
            client.Fetch({.url = script.Url(), .method = "POST", .source = one, .source_length = 2})
                .status()));
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

// The server answers and closes before it has the body.
TEST(HttpClient, TakesAnAnswerThatComesBeforeTheBodysEnd) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").ok());
        ReadHead(reader);
      },
      [](Script& script, HttpClient& client) {
        const auto endless = []() -> absl::StatusOr<std::string> {
          return std::string(100'000, 'z');
        };
        const auto answer =
            client.Fetch({.url = script.Url(), .method = "POST", .source = endless});
        ASSERT_TRUE(answer.ok()) << answer.status();
        EXPECT_EQ(answer->status, 413);
        EXPECT_EQ(answer->body, "no");
        // Half a request is on it.
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

TEST(HttpClient, WaitsForContinue) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        EXPECT_THAT(ReadHead(reader), HasSubstr("\r\nExpect: 100-continue\r\n"));
        EXPECT_EQ(reader.buffered(), 0);
        EXPECT_TRUE(socket.Write("HTTP/1.1 100 Continue\r\n\r\n").ok());
        EXPECT_EQ(*reader.ReadExactly(4), "body");
        EXPECT_TRUE(socket.Write(StrCat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", kOk)).ok());
        // The next one is refused by its head.
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n").ok());
        EXPECT_FALSE(reader.ReadExactly(1).ok());
      },
      [](Script& script, HttpClient& client) {
        const auto ask = [&] {
          return client.Fetch(
              {.url = script.Url(), .method = "POST", .body = "body", .expect_continue = true});
        };
        EXPECT_EQ(ask()->body, "ok");
        EXPECT_EQ(ask()->status, 417);
        EXPECT_EQ(script.connections(), 1);
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

TEST(HttpClient, FollowsRedirects) {
  HttpClientOptions options;
  options.redirects_max = 2;
  WithServer(
      [](TestServer& server, HttpClient& client) {
        const auto redirect = [](int status, const std::string& to) {
          return StrCat("HTTP/1.1 ", status, " x\r\nLocation: ", to,
                        "\r\nContent-Length: 4\r\n\r\nskip");
        };
        server.Answer("/a/2", redirect(302, "../a/1"));
        server.Answer("/a/1", redirect(307, server.Url("/0")));
        server.Answer("/a/3", redirect(301, "2"));
        server.Answer("/see", redirect(303, "/0"));
        server.Answer("/0", std::string(kOk));
        const auto two = client.Fetch({.url = server.Url("/a/2")});
        ASSERT_TRUE(two.ok()) << two.status();
        EXPECT_EQ(two->body, "ok");
        EXPECT_EQ(two->url, server.Url("/0"));
        const absl::Status three = client.Fetch({.url = server.Url("/a/3")}).status();
        EXPECT_TRUE(absl::IsFailedPrecondition(three));
        EXPECT_THAT(std::string(three.message()), HasSubstr("more than 2 redirects"));
        EXPECT_EQ(client.stats().pool.made, 1);

        const size_t before = server.requests().size();
        HttpRequest post{.url = server.Url("/a/1"), .method = "POST", .body = "x"};
        EXPECT_TRUE(client.Fetch(std::move(post)).ok());
        EXPECT_THAT(server.requests()[before + 1], HasSubstr("POST /0 "));
        EXPECT_THAT(server.requests()[before + 1], HasSubstr("\r\n\r\nx"));
        post = {.url = server.Url("/see"),
                .method = "POST",
                .fields = {{"Content-Type", "a/b"}},
                .body = "x"};
        EXPECT_TRUE(client.Fetch(std::move(post)).ok());
        EXPECT_THAT(server.requests()[before + 3], HasSubstr("GET /0 "));
        EXPECT_THAT(server.requests()[before + 3], Not(HasSubstr("Content-")));
      },
      options);
}

TEST(HttpClient, GivesCredentialsToNobodyElse) {
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/0", std::string(kOk));
    server.Answer("/here", "HTTP/1.1 302 x\r\nLocation: /0\r\nContent-Length: 0\r\n\r\n");
    server.Answer("/away", StrCat("HTTP/1.1 302 x\r\nLocation: http://localhost:", server.port(),
                                  "/0\r\nContent-Length: 0\r\n\r\n"));
    const HttpFields secret = {{"Authorization", "Bearer s"}, {"Cookie", "c=s"}, {"X", "y"}};
    EXPECT_TRUE(client.Fetch({.url = server.Url("/here"), .fields = secret}).ok());
    EXPECT_THAT(server.requests()[1], HasSubstr("Bearer s"));
    EXPECT_TRUE(client.Fetch({.url = server.Url("/away"), .fields = secret}).ok());
    EXPECT_THAT(server.requests()[3], Not(HasSubstr("Bearer s")));
    EXPECT_THAT(server.requests()[3], Not(HasSubstr("Cookie")));
    EXPECT_THAT(server.requests()[3], HasSubstr("\r\nX: y\r\n"));
    const std::string url = StrCat("http://me:p%40ss@127.0.0.1:", server.port(), "/0");
    const auto answer = client.Fetch({.url = url});
    EXPECT_THAT(server.requests()[4], HasSubstr("\r\nAuthorization: Basic bWU6cEBzcw==\r\n"));
    EXPECT_EQ(answer->url, server.Url("/0"));
  });
}

TEST(HttpClient, UndoesTheBodysCoding) {
  // `printf hello | gzip -n`
  const std::string coded(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00"
      "\x00\x00",
      25);
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/length", StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ",
                                    coded.size(), "\r\n\r\n", coded));
    server.Answer("/chunked",
                  StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked"
                         "\r\n\r\na\r\n",
                         coded.substr(0, 10), "\r\nf\r\n", coded.substr(10), "\r\n0\r\n\r\n"));
    server.Answer("/short", StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
                                   "10\r\n\r\n",
                                   coded.substr(0, 10)));
    for (const char* path : {"/length", "/chunked"}) {
      const auto answer = client.Fetch({.url = server.Url(path)});
      ASSERT_TRUE(answer.ok()) << path << answer.status();
      EXPECT_EQ(answer->body, "hello");
      EXPECT_EQ(answer->Field("content-encoding"), "");
    }
    EXPECT_EQ(client.stats().pool.made, 1);
    EXPECT_TRUE(absl::IsUnavailable(client.Fetch({.url = server.Url("/short")}).status()));
  });
  HttpClientOptions plain;
  plain.decode = false;
  WithServer(
      [&](TestServer& server, HttpClient& client) {
        server.Answer("/", StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ",
                                  coded.size(), "\r\n\r\n", coded));
        const auto answer = client.Fetch({.url = server.Url("/")});
        EXPECT_EQ(answer->body, coded);
        EXPECT_EQ(answer->Field("Content-Encoding"), "gzip");
        EXPECT_THAT(server.requests()[0], Not(HasSubstr("Accept-Encoding")));
      },
      plain);
}

TEST(HttpClient, BoundsTheBody) {
  HttpClientOptions options;
  options.body_max_bytes = 5;
  WithServer(
      [](TestServer& server, HttpClient& client) {
        server.Answer("/5", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        server.Answer("/6", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!");
        server.Answer("/chunked",
                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n");
        EXPECT_TRUE(client.Fetch({.url = server.Url("/5")}).ok());
        for (const char* path : {"/6", "/chunked"}) {
          const absl::Status over = client.Fetch({.url = server.Url(path)}).status();
          EXPECT_TRUE(absl::IsResourceExhausted(over)) << path;
          EXPECT_THAT(std::string(over.message()), HasSubstr("larger than the 5 bytes"));
        }
        EXPECT_TRUE(absl::IsResourceExhausted(
            client.Fetch({.url = server.Url("/5"), .body_max_bytes = 4}).status()));
      },
      options);
}

TEST(HttpClient, ReadsABodyPieceByPiece) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        while (!ReadHead(reader).empty()) {
          if (!socket.Write("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n").ok()) return;
          for (int i = 0; i < 100; ++i) {
            if (!socket.Write(std::string(100'000, 'a' + i % 26)).ok()) return;
          }
        }
      },
      [](Script& script, HttpClient& client) {
        {
          HttpExchange answer = *client.Open({.url = script.Url()});
          EXPECT_EQ(answer.status(), 200);
          size_t bytes = 0;
          for (;;) {
            const absl::StatusOr<std::string_view> piece = answer.Next();
            ASSERT_TRUE(piece.ok()) << piece.status();
            if (piece->empty()) break;
            EXPECT_LE(piece->size(), kClientReadBytes);
            EXPECT_EQ((*piece)[0], 'a' + static_cast<int>(bytes / 100'000) % 26);
            bytes += piece->size();
          }
          EXPECT_EQ(bytes, 10'000'000);
        }
        EXPECT_EQ(client.stats().pool.idle, 1);
        // One that is not read to its end takes its connection along.
        { EXPECT_TRUE(client.Open({.url = script.Url()}).ok()); }
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

TEST(HttpClient, EndsWithItsFiberAndItsTimeout) {
  WithServer([](TestServer& server, HttpClient& client) {
    {
      Timeout timeout(absl::Milliseconds(20));
      EXPECT_TRUE(absl::IsDeadlineExceeded(client.Fetch({.url = server.Url("/silent")}).status()));
    }
    absl::Status result;
    FiberHandle fiber =
        *Spawn("fetch", [&] { result = client.Fetch({.url = server.Url("/silent")}).status(); });
    server.AwaitRequests(2);
    fiber.Cancel();
    EXPECT_TRUE(fiber.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(result));
    server.AwaitClosed(2);
  });
}

TEST(HttpClient, SharesItsConnections) {
  HttpClientOptions options;
  options.pool.per_origin_max = 2;
  WithServer(
      [](TestServer& server, HttpClient& client) {
        std::vector<FiberHandle> fibers;
        for (int i = 0; i < 5; ++i) {
          fibers.push_back(*Spawn(
              "fetch", [&] { EXPECT_TRUE(client.Fetch({.url = server.Url("/held")}).ok()); }));
        }
        server.AwaitRequests(2);
        EXPECT_EQ(client.stats().pool.waiting, 3);
        server.Release(std::string(kOk));
        for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
        EXPECT_EQ(client.stats().pool.made, 2);
        EXPECT_EQ(client.stats().pool.reused, 3);
      },
      options);
}

TEST(HttpClient, AsksWhetherAnAddressIsAllowed) {
  HttpClientOptions options;
  options.dial.allow = [](const SocketAddress& address) {
    return address.IsLoopback() ? absl::PermissionDeniedError("not there") : absl::OkStatus();
  };
  WithServer(
      [](TestServer& server, HttpClient& client) {
        for (const std::string host : {"127.0.0.1", "localhost"}) {
          const std::string url = StrCat("http://", host, ":", server.port(), "/");
          EXPECT_TRUE(absl::IsPermissionDenied(client.Fetch({.url = url}).status())) << host;
        }
        EXPECT_EQ(server.requests().size(), 0);
      },
      options);
}

TEST(HttpClient, RefusesRequestsThatAreNone) {
  WithServer([](TestServer& server, HttpClient& client) {
    const std::string url = server.Url("/");
    const auto code = [&](HttpRequest request) {
      return client.Fetch(std::move(request)).status().code();
    };
    const auto bad = absl::StatusCode::kInvalidArgument;
    for (const auto& [name, value] : HttpFields{{"X", "a\r\nY: b"},
                                                {"X Y", "a"},
                                                {"", "a"},
                                                {"Content-Length", "1"},
                                                {"Host", "b"},
                                                {"Transfer-Encoding", "chunked"}}) {
      EXPECT_EQ(code({.url = url, .fields = {{name, value}}}), bad) << name;
    }
    EXPECT_EQ(code({.url = url, .method = "GET / HTTP/1.1\r\nX:"}), bad);
    EXPECT_EQ(code({.url = url, .method = ""}), bad);
    EXPECT_EQ(code({.url = url, .method = "CONNECT"}), bad);
    EXPECT_EQ(code({.url = url, .body = "x"}), bad);
    EXPECT_EQ(code({.url = "file:///etc/passwd"}), bad);
    EXPECT_EQ(server.requests().size(), 0);
  });
}

TEST(HttpClient, SpeaksOverUnixSockets) {
  WithServer([](TestServer&, HttpClient& client) {
    char folder[] = "/tmp/http-client-XXXXXX";  // short enough for a UNIX socket's address
    ASSERT_NE(mkdtemp(folder), nullptr);
    const std::string path = StrCat(folder, "/s");
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("unix:" + path)));
    FiberHandle serving = *Spawn("unix", [&] {
      Socket socket = *listener.Accept();
      BufferedReader reader(socket);
      EXPECT_THAT(ReadHead(reader), HasSubstr("\r\nHost: docker\r\n"));
      EXPECT_TRUE(socket.Write(kOk).ok());
      ReadHead(reader);
    });
    EXPECT_EQ(client.Fetch({.url = "http://docker/x", .unix_socket = path})->body, "ok");
    client.CloseIdle();
    EXPECT_TRUE(serving.Join().ok());
    unlink(path.c_str());
    rmdir(folder);
  });
}

TEST(HttpClient, GoesThroughAProxy) {
  std::vector<std::string> heads;
  const auto proxy = [&](Socket& socket, int) {
    BufferedReader reader(socket);
    heads.push_back(ReadHead(reader));
    EXPECT_TRUE(socket
                    .Write(heads.back().starts_with("CONNECT")
                               ? "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
                               : kOk)
                    .ok());
    ReadHead(reader);
  };
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  std::unique_ptr<HttpClient> client;
  RunOn(*hub, [&] {
    Script script(proxy);
    HttpClientOptions options;
    options.dial.proxy = StrCat("http://me:it@127.0.0.1:", script.port());
    options.dial.no_proxy = {"localhost"};
    client = MakeClient(options);
    EXPECT_EQ(client->Fetch({.url = "http://example.org/a?b"})->body, "ok");
    EXPECT_THAT(heads[0], HasSubstr("GET http://example.org/a?b HTTP/1.1\r\n"));
    EXPECT_THAT(heads[0], HasSubstr("\r\nProxy-Authorization: Basic bWU6aXQ=\r\n"));
    const absl::Status refused = client->Fetch({.url = "https://example.org/"}).status();
    EXPECT_TRUE(absl::IsUnavailable(refused));
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr("refuses a tunnel to example.org:443: 407 Who are you"));
    EXPECT_THAT(heads[1], HasSubstr("CONNECT example.org:443 HTTP/1.1\r\n"));
    client->CloseIdle();
    EXPECT_EQ(client->Fetch({.url = StrCat("http://localhost:", script.port())})->body, "ok");
    EXPECT_THAT(heads[2], HasSubstr("GET / HTTP/1.1\r\n"));
    client->CloseIdle();
  });
  EXPECT_TRUE(
      absl::IsInvalidArgument(HttpClient::Create({.dial = {.proxy = "socks5://a"}}).status()));
}

// One that serves `answers` over TLS, each on a connection of its own.
void ServeTls(Listener& listener, const TlsServerContext& context,
              const std::vector<std::string>& answers) {
  for (const std::string& answer : answers) {
    absl::StatusOr<Socket> socket = listener.Accept();
    absl::StatusOr<TlsStream> stream = TlsStream::Accept(*std::move(socket), context);
    if (!stream.ok()) continue;
    BufferedReader reader(*stream);
    ReadHead(reader);
    EXPECT_TRUE(stream->Write(answer).ok());
    stream->Close();
  }
}

TEST(HttpClient, ChecksCertificatesAndResumesSessions) {
  TestAuthority authority("http-client");
  const TlsCertificateFiles certificate = authority.Issue("server", {.names = "IP:127.0.0.1"});
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  HttpClientOptions options;
  options.dial.tls.ca_file = authority.ca_file();
  const std::unique_ptr<HttpClient> client = MakeClient(options);
  const std::unique_ptr<HttpClient> stranger = MakeClient();
  RunOn(*hub, [&] {
    const TlsServerContext context = *TlsServerContext::Create({.certificates = {certificate}});
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    const std::string close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    const std::string cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok";
    FiberHandle serving = *Spawn("tls", [&] {
      ServeTls(listener, context, {close, close, close, cut});
    });
    const std::string url = StrCat("https://", listener.LocalAddress().ToString(), "/");
    EXPECT_TRUE(absl::IsFailedPrecondition(stranger->Fetch({.url = url}).status()));
    EXPECT_EQ(client->Fetch({.url = url})->body, "ok");
    EXPECT_EQ(client->Fetch({.url = url})->body, "ok");
    EXPECT_EQ(client->stats().dial.handshakes, 2);
    EXPECT_EQ(client->stats().dial.resumed, 1);
    EXPECT_TRUE(absl::IsUnavailable(client->Fetch({.url = url}).status()));
    EXPECT_TRUE(serving.Join().ok());
  });
}

}  // namespace
}  // namespace grove::http
