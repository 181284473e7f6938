// A crawl over many origins: what it holds does not grow with what it has fetched.
#include <malloc.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "http/client/http_client.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/io/serve.h"

namespace grove::http {
namespace {

constexpr int kOrigins = 200;
constexpr int kConnections = 50;
constexpr int kFetches = 2'000;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage";

absl::Status AnswerAll(Socket& connection) {
  BufferedReader reader(connection);
  for (;;) {
    absl::StatusOr<std::string> head = reader.ReadUntil("\r\n\r\n", 8192);
    if (!head.ok()) return head.status();
    if (absl::Status written = connection.Write(kAnswer); !written.ok()) return written;
  }
}

TEST(Crawl, HoldsNoMoreAfterMorePages) {
  HttpClientOptions options;
  options.pool.connections_max = kConnections;
  std::unique_ptr<HttpClient> client = *HttpClient::Create(std::move(options));
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    // Every address of the loopback network is this machine's, and an origin.
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("0.0.0.0:0")));
    const int port = listener.LocalAddress().port();
    StreamServer server({.name = "page"});
    FiberHandle serving = *Spawn("server", [&] {
      return server.Serve(listener, [](Socket& connection) { return AnswerAll(connection); });
    });
    int next = 0;
    int good = 0;
    const auto crawl = [&](int fetches) {
      FiberPool pool(kConnections);
      for (int i = 0; i < fetches; ++i) {
        const std::string url =
            absl::StrCat("http://127.0.3.", ++next % kOrigins + 1, ":", port, "/", next);
        (void)pool.Spawn({.name = "fetch"}, [&, url] {
          const absl::StatusOr<HttpResponse> page = client->Fetch({.url = url});
          if (page.ok() && page->body == "page") ++good;
        });
      }
      EXPECT_TRUE(pool.WaitAll().ok());
    };
    crawl(kFetches);
    const size_t before = mallinfo2().uordblks;
    crawl(kFetches * 4);
    EXPECT_LT(mallinfo2().uordblks, before + (size_t{256} << 10));
    EXPECT_EQ(good, 5 * kFetches);
    const HttpClientStats stats = client->stats();
    EXPECT_LE(stats.pool.open, kConnections);
    EXPECT_LE(stats.pool.origins, static_cast<size_t>(kConnections));
    EXPECT_GT(stats.pool.evicted, 0u);
    client->CloseIdle();
    EXPECT_EQ(client->stats().pool.origins, 0u);
    serving.Cancel();
    serving.AwaitEnd();
  });
}

}  // namespace
}  // namespace grove::http
