#include "server/functions/fetch.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/test_server.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/stream.h"

namespace grove::functions {
namespace {

using http::TestServer;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

// As if resolved.
config::v1::Fetch PublicConfig() {
  config::v1::Fetch config;
  config.set_body_max_bytes(4 << 20);
  config.set_timeout_ms(30'000);
  config.set_redirects_max(5);
  config.set_concurrency_max(256);
  return config;
}

config::v1::Fetch LoopbackConfig() {
  config::v1::Fetch config = PublicConfig();
  config.add_allow("127.0.0.0/8");
  return config;
}

// Runs `body` on a hub, beside a server on loopback.
void WithServer(const config::v1::Fetch& config,
                const std::function<void(TestServer&, FetchClient&)>& body) {
  absl::StatusOr<FetchPolicy> policy = FetchPolicy::FromConfig(config);
  ASSERT_TRUE(policy.ok()) << policy.status();
  absl::StatusOr<std::unique_ptr<FetchClient>> client = FetchClient::Create(*std::move(policy));
  ASSERT_TRUE(client.ok()) << client.status();
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    TestServer server;
    body(server, **client);
    server.Stop();
  });
  EXPECT_EQ((*client)->stats().running, 0);
  EXPECT_EQ(hub->Stats().fibers_live, 0);
}

TEST(FetchClient, ReturnsStatusFieldsAndBody) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    server.Answer("/a",
                  "HTTP/1.1 404 Gone Fishing\r\nX-One: 1\r\nX-Two:  2 \r\n"
                  "Content-Length: 5\r\n\r\nhello");
    const auto result = client.Fetch({.url = server.Url("/a")});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->status, 404);
    EXPECT_EQ(result->body, "hello");
    EXPECT_EQ(result->effective_url, server.Url("/a"));
    EXPECT_EQ(result->headers,
              (FetchFields{{"X-One", "1"}, {"X-Two", "2"}, {"Content-Length", "5"}}));
    EXPECT_EQ(client.stats().fetches, 1);
    EXPECT_EQ(client.stats().failures, 0);
  });
}

TEST(FetchClient, RefusesLoopbackByDefault) {
  WithServer(PublicConfig(), [](TestServer& server, FetchClient& client) {
    const auto result = client.Fetch({.url = server.Url("/a")});
    EXPECT_EQ(result.status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(std::string(result.status().message()),
                HasSubstr("refuses to connect to 127.0.0.1 (loopback); allow it with fetch.allow"));
    EXPECT_EQ(client.stats().failures, 1);
    EXPECT_EQ(server.requests().size(), 0);
  });
}

TEST(FetchClient, CountsWhichAddressesItKnew) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    server.Answer("/a", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    const std::string url = StrCat("http://localhost:", server.port(), "/a");
    for (int fetch = 1; fetch <= 3; ++fetch) {
      ASSERT_TRUE(client.Fetch({.url = url}).ok());
      EXPECT_EQ(client.stats().lookups, fetch);
      // No server need be asked for it.
      EXPECT_EQ(client.stats().cache_misses, 0);
      EXPECT_EQ(client.stats().cache_hits, fetch);
    }
  });
}

TEST(FetchClient, ChecksTheAddressThatANameResolvesTo) {
  WithServer(PublicConfig(), [](TestServer& server, FetchClient& client) {
    const std::string url = StrCat("http://localhost:", server.port(), "/");
    EXPECT_EQ(client.Fetch({.url = url}).status().code(), absl::StatusCode::kPermissionDenied);
  });
}

TEST(FetchClient, ChecksTheAddressOfARedirect) {
  config::v1::Fetch config = PublicConfig();
  config.add_allow("127.0.0.1");
  WithServer(config, [](TestServer& server, FetchClient& client) {
    server.Answer("/r", StrCat("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:", server.port(),
                               "/\r\nContent-Length: 0\r\n\r\n"));
    const auto result = client.Fetch({.url = server.Url("/r")});
    EXPECT_EQ(result.status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("127.0.0.2"));
  });
}

TEST(FetchClient, FollowsRedirectsUpToTheLimit) {
  config::v1::Fetch config = LoopbackConfig();
  config.set_redirects_max(2);
  WithServer(config, [](TestServer& server, FetchClient& client) {
    const auto redirect = [](const std::string& to) {
      return StrCat("HTTP/1.1 302 Found\r\nX-Hop: 1\r\nLocation: ", to,
                    "\r\nContent-Length: 4\r\n\r\nskip");
    };
    server.Answer("/2", redirect("/1"));
    server.Answer("/1", redirect("/0"));
    server.Answer("/0", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    server.Answer("/3", redirect("/2"));
    const auto two = client.Fetch({.url = server.Url("/2")});
    ASSERT_TRUE(two.ok()) << two.status();
    EXPECT_EQ(two->body, "ok");
    EXPECT_EQ(two->effective_url, server.Url("/0"));
    EXPECT_EQ(two->headers, (FetchFields{{"Content-Length", "2"}}));
    const auto three = client.Fetch({.url = server.Url("/3")});
    EXPECT_EQ(three.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(three.status().message()), HasSubstr("more than 2 redirects"));
  });
}

TEST(FetchClient, RefusesOtherSchemesAlsoInRedirects) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    server.Answer("/r",
                  "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                  "Content-Length: 0\r\n\r\n");
    EXPECT_EQ(client.Fetch({.url = server.Url("/r")}).status().code(),
              absl::StatusCode::kPermissionDenied);
    for (const char* url : {"file:///etc/passwd", "gopher://x/", "example.com", "", "http://",
                            "http://a b/", "http://a/\r\nHost: b"}) {
      EXPECT_EQ(client.Fetch({.url = url}).status().code(), absl::StatusCode::kInvalidArgument)
          << url;
    }
  });
}

TEST(FetchClient, FailsABodyOverTheLimitAndTakesOneAtIt) {
  config::v1::Fetch config = LoopbackConfig();
  config.set_body_max_bytes(5);
  WithServer(config, [](TestServer& server, FetchClient& client) {
    server.Answer("/5", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    server.Answer("/6", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!");
    server.Answer("/chunked",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n");
    server.Answer("/redirect",
                  "HTTP/1.1 302 Found\r\nLocation: /5\r\n"
                  "Content-Length: 6\r\n\r\nhello!");
    const auto at = client.Fetch({.url = server.Url("/5")});
    EXPECT_TRUE(at.ok()) << at.status();
    for (const char* path : {"/6", "/chunked"}) {
      const auto over = client.Fetch({.url = server.Url(path)});
      EXPECT_EQ(over.status().code(), absl::StatusCode::kResourceExhausted) << path;
      EXPECT_THAT(std::string(over.status().message()), HasSubstr("larger than the 5 bytes"));
    }
    // Nobody keeps the body of a redirect.
    EXPECT_EQ(client.Fetch({.url = server.Url("/redirect")})->body, "hello");
    FetchRequest tighter{.url = server.Url("/5")};
    tighter.limits.body_max_bytes = 4;
    EXPECT_EQ(client.Fetch(tighter).status().code(), absl::StatusCode::kResourceExhausted);
  });
}

TEST(FetchClient, BoundsResponseHeaders) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    std::string response = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 100; ++i) StrAppend(&response, "X: ", std::string(1000, 'x'), "\r\n");
    server.Answer("/", response + "Content-Length: 0\r\n\r\n");
    const auto result = client.Fetch({.url = server.Url("/")});
    EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
  });
}

TEST(FetchClient, EndsAtItsTimeLimit) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    FetchRequest request{.url = server.Url("/silent")};
    request.limits.timeout = absl::Milliseconds(20);
    const auto result = client.Fetch(request);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("not finished after 20ms"));
  });
}

TEST(FetchClient, GivesUpWithItsFiber) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    absl::Status result;
    auto fiber =
        Spawn("fetcher", [&] { result = client.Fetch({.url = server.Url("/silent")}).status(); });
    server.AwaitRequests(1);
    EXPECT_EQ(client.stats().running, 1);
    fiber->Cancel();
    EXPECT_TRUE(fiber->Join().ok());
    EXPECT_EQ(result.code(), absl::StatusCode::kCancelled) << result;
    EXPECT_EQ(client.stats().running, 0);
    server.AwaitClosed(1);  // the server sees the connection end
  });
}

TEST(FetchClient, LetsSoManyRunAtOnce) {
  config::v1::Fetch config = LoopbackConfig();
  config.set_concurrency_max(2);
  WithServer(config, [](TestServer& server, FetchClient& client) {
    std::vector<FiberHandle> fibers;
    fibers.reserve(3);
    for (int i = 0; i < 3; ++i) {
      fibers.push_back(
          *Spawn("fetcher", [&] { EXPECT_TRUE(client.Fetch({.url = server.Url("/held")}).ok()); }));
    }
    server.AwaitRequests(2);
    EXPECT_EQ(client.stats().running, 2);
    EXPECT_EQ(client.stats().waiting, 1);
    server.Release("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    EXPECT_EQ(server.requests().size(), 3);
  });
}

TEST(FetchClient, SendsMethodFieldsAndBody) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    server.Answer("/post", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const auto posted = client.Fetch({.url = server.Url("/post"),
                                      .method = FetchMethod::kPost,
                                      .headers = {{"X-A", "b"}, {"X-Empty", ""}},
                                      .body = "payload"});
    ASSERT_TRUE(posted.ok()) << posted.status();
    const std::string& request = server.requests()[0];
    EXPECT_THAT(request, HasSubstr("POST /post HTTP/1.1\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\nX-A: b\r\nX-Empty:\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\nContent-Type: application/octet-stream\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\n\r\npayload"));
    EXPECT_THAT(request, Not(HasSubstr("Expect")));
  });
}

TEST(FetchClient, TakesTheHeadAlone) {
  config::v1::Fetch config = LoopbackConfig();
  config.set_body_max_bytes(5);
  WithServer(config, [](TestServer& server, FetchClient& client) {
    server.Answer("/big", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    const auto head = client.Fetch({.url = server.Url("/big"), .method = FetchMethod::kHead});
    ASSERT_TRUE(head.ok()) << head.status();
    EXPECT_THAT(head->headers, Contains(Pair("Content-Length", "1000")));
  });
}

TEST(FetchClient, RefusesFieldsThatWouldFrameTheRequestAnew) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    const FetchFields bad = {{"X", "a\r\nY: b"}, {"X Y", "a"}, {"", "a"}, {"Content-Length", "1"}};
    for (const auto& field : bad) {
      EXPECT_EQ(client.Fetch({.url = server.Url("/"), .headers = {field}}).status().code(),
                absl::StatusCode::kInvalidArgument)
          << field.first;
    }
    EXPECT_EQ(client.Fetch({.url = server.Url("/"), .body = "x"}).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(server.requests().size(), 0);
  });
}

TEST(FetchClient, ShowsNoCredentialsInErrors) {
  WithServer(PublicConfig(), [](TestServer& server, FetchClient& client) {
    const std::string url = StrCat("http://user:secret@127.0.0.1:", server.port(), "/");
    const std::string text(client.Fetch({.url = url}).status().message());
    EXPECT_THAT(text, HasSubstr("fetch http://127.0.0.1:"));
    EXPECT_THAT(text, Not(HasSubstr("secret")));
  });
}

TEST(FetchClient, ReportsARefusedConnection) {
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    const std::string url = server.Url("/");
    server.Stop();
    EXPECT_EQ(client.Fetch({.url = url}).status().code(), absl::StatusCode::kUnavailable);
  });
}

TEST(FetchClient, IgnoresProxiesOfTheEnvironment) {
  setenv("http_proxy", "http://127.0.0.9:1", 1);
  WithServer(LoopbackConfig(), [](TestServer& server, FetchClient& client) {
    server.Answer("/", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const auto result = client.Fetch({.url = server.Url("/")});
    EXPECT_TRUE(result.ok()) << result.status();
  });
  unsetenv("http_proxy");
}

TEST(FetchPolicy, NamesTheBadRange) {
  config::v1::Fetch config;
  config.add_allow("10.0.0.0/99");
  const absl::Status status = FetchPolicy::FromConfig(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("fetch.allow"));
}

TEST(FetchPolicy, HasTheConfigsLimits) {
  config::v1::Fetch config;
  config.set_body_max_bytes(1);
  config.set_timeout_ms(2);
  config.set_redirects_max(3);
  config.set_concurrency_max(4);
  const FetchPolicy policy = *FetchPolicy::FromConfig(config);
  EXPECT_EQ(policy.limits.body_max_bytes, 1);
  EXPECT_EQ(policy.limits.timeout, absl::Milliseconds(2));
  EXPECT_EQ(policy.limits.redirects_max, 3);
  EXPECT_EQ(policy.concurrency_max, 4);
}

// What a server that has nothing but `group` says of a fetch's handshake. Its certificate is
// nobody's.
absl::Status HandshakeIn(const std::string& group, const TlsCertificateFiles& certificate) {
  absl::Status accepted;
  WithServer(LoopbackConfig(), [&](TestServer&, FetchClient& client) {
    const TlsServerContext context =
        *TlsServerContext::Create({.certificates = {certificate}, .groups = {group}});
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    FiberHandle accepting = *Spawn("tls", [&] {
      absl::StatusOr<Socket> socket = listener.Accept();
      accepted = TlsStream::Accept(*std::move(socket), context).status();
    });
    const std::string url = StrCat("https://", listener.LocalAddress().ToString(), "/");
    EXPECT_FALSE(client.Fetch({.url = url}).ok());
    EXPECT_TRUE(accepting.Join().ok());
  });
  return accepted;
}

TEST(FetchClient, TakesNoDearGroupFromAServer) {
  TestAuthority authority("fetch");
  const TlsCertificateFiles certificate = authority.Issue("server", {.names = "IP:127.0.0.1"});
  // It gets as far as the certificate, which it does not trust.
  EXPECT_TRUE(absl::IsUnauthenticated(HandshakeIn("X25519", certificate)));
  EXPECT_TRUE(absl::IsUnauthenticated(HandshakeIn("P-384", certificate)));
  EXPECT_TRUE(absl::IsUnavailable(HandshakeIn("ffdhe2048", certificate)));
  EXPECT_TRUE(absl::IsUnavailable(HandshakeIn("P-521", certificate)));
}

}  // namespace
}  // namespace grove::functions
