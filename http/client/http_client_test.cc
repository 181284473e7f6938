#include "http/client/http_client.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/client_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/stream.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

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
                                           "Accept-Encoding: gzip, deflate, br, zstd\r\n\r\n"));
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

// The server answers and closes before it has the body.
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

TEST(HttpClientConnectTest, TakesThePlaceOfTheNetworkWhateverTheUrl) {
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  std::vector<std::string> asked;
  RunOn(*hub, [&] {
    HttpClientOptions options;
    options.dial.proxy = "http://127.0.0.1:1";
    options.dial.allow = [](const SocketAddress&) { return absl::PermissionDeniedError("no"); };
    options.dial.connect = [&](const Url& url) -> absl::StatusOr<std::unique_ptr<Stream>> {
      asked.push_back(url.ToString());
      return absl::UnavailableError("no network here");
    };
    const auto client = *HttpClient::Create(options);
    for (const char* url : {"http://no.such.host/a", "https://no.such.host/b"}) {
      const absl::Status refused = client->Fetch({.url = url}).status();
      EXPECT_EQ(refused.message(), StrCat(url, ": no network here"));
    }
  });
  EXPECT_THAT(asked, testing::ElementsAre("http://no.such.host/a", "https://no.such.host/b"));
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
