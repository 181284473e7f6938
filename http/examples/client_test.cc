// What docs/http_client.md shows of the client.
#include "http/client/http_client.h"

#include <fstream>
#include <string>

#include "http/client/cookie_jar.h"
#include "http/client/test_server.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::http {
namespace {

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ClientExample : public ::testing::Test {
 protected:
  template <typename F>
  void Run(F&& body, HttpClientOptions options = {}) {
    std::unique_ptr<HttpClient> client = *HttpClient::Create(std::move(options));
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      TestServer server;
      server.Answer("/", kOk);
      body(*client, server.Url("/"));
      client->CloseIdle();
      server.Stop();
    });
  }
};

TEST_F(ClientExample, Fetches) {
  Run([](HttpClient& client, const std::string& url) {
    // [fetch]
    Timeout timeout(absl::Seconds(10));  // of all of it: names, connections, redirects, the body
    absl::StatusOr<HttpResponse> page = client.Fetch({.url = url});
    if (!page.ok()) return;  // no whole answer was had; the status says why
    EXPECT_EQ(page->status, 200);
    EXPECT_EQ(page->Field("content-length"), "2");
    EXPECT_EQ(page->body, "ok");
    // [/fetch]
  });
}

TEST_F(ClientExample, Posts) {
  Run([](HttpClient& client, const std::string& url) {
    // [post]
    absl::StatusOr<HttpResponse> answer = client.Fetch({
        .url = url,
        .method = "POST",
        .fields = {{"Content-Type", "application/json"}, {"Idempotency-Key", "order-7"}},
        .body = R"({"amount": 3})",
        // Should a kept connection turn out to be closed, it is sent again: the server knows it by
        // its key.
        .may_repeat = true,
    });
    // [/post]
    EXPECT_TRUE(answer.ok());
  });
}

TEST_F(ClientExample, Streams) {
  Run([](HttpClient& client, const std::string& url) {
    const std::string path = ::testing::TempDir() + "/upload";
    std::ofstream(path) << "some lines";
    // [upload]
    std::ifstream file(path, std::ios::binary);
    absl::StatusOr<HttpResponse> stored = client.Fetch({
        .url = url,
        .method = "PUT",
        .source = [&]() -> absl::StatusOr<std::string> {
          std::string piece(64 * 1024, '\0');
          file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
          if (file.bad()) return absl::DataLossError("cannot read the file");
          piece.resize(static_cast<size_t>(file.gcount()));
          return piece;  // an empty one is the end
        },
        .source_length = 10,
    });
    // [/upload]
    EXPECT_TRUE(stored.ok());
    // [download]
    absl::StatusOr<HttpExchange> answer = client.Open({.url = url});
    if (!answer.ok() || answer->status() != 200) return;
    size_t bytes = 0;
    for (;;) {
      absl::StatusOr<std::string_view> piece = answer->Next();
      if (!piece.ok()) return;  // cut short: nothing here is the whole
      if (piece->empty()) break;
      bytes += piece->size();
    }
    EXPECT_EQ(bytes, 2u);
    // [/download]
  });
}

TEST_F(ClientExample, KeepsCookies) {
  Run([](HttpClient& client, const std::string& url) {
    const std::string& login = url;
    // [cookies]
    CookieJar jar;  // of one user, say; it outlives the requests
    absl::StatusOr<HttpResponse> page = client.Fetch({.url = login, .cookies = &jar});
    if (page.ok()) page = client.Fetch({.url = url, .cookies = &jar});
    // [/cookies]
    EXPECT_TRUE(page.ok());
  });
}

TEST_F(ClientExample, HasOptions) {
  // [options]
  HttpClientOptions options;
  options.pool.per_origin_max = 20;
  options.pool.connections_max = 1000;
  options.pool.idle_max = absl::Seconds(30);
  options.dial.connect_timeout = absl::Seconds(5);
  options.body_max_bytes = 1 << 20;
  options.redirects_max = 3;
  // Nothing of this machine's, whatever a name resolves to or a redirect says.
  options.dial.allow = [](const SocketAddress& address) {
    const std::optional<IpAddress> host = address.host();
    return host.has_value() && host->IsPublic()
               ? absl::OkStatus()
               : absl::PermissionDeniedError("not a public address");
  };
  // [/options]
  Run(
      [](HttpClient& client, const std::string& url) {
        EXPECT_TRUE(absl::IsPermissionDenied(client.Fetch({.url = url}).status()));
      },
      options);
}

}  // namespace
}  // namespace grove::http
