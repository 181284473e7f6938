// A client of HTTP beside servers of a test's own, on a hub.
#ifndef GROVE_HTTP_CLIENT_CLIENT_FIXTURE_H_
#define GROVE_HTTP_CLIENT_CLIENT_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/client/http_client.h"
#include "http/client/test_server.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

inline std::unique_ptr<HttpClient> MakeClient(HttpClientOptions options = {}) {
  absl::StatusOr<std::unique_ptr<HttpClient>> client = HttpClient::Create(std::move(options));
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

// Runs `body` on a hub, beside a server of canned answers.
inline void WithServer(const std::function<void(TestServer&, HttpClient&)>& body,
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
inline std::string ReadHead(BufferedReader& reader) {
  return reader.ReadUntil("\r\n\r\n", 1 << 20).value_or("");
}

inline void WithScript(const std::function<void(Socket&, int)>& serve,
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

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_CLIENT_FIXTURE_H_
