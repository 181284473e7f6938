// The ways on which a WebSocket reaches its server: TLS, proxies, refused addresses.
#include "gmock/gmock.h"
#include "http/client/client_fixture.h"
#include "http/client/websocket_client.h"
#include "http/client/websocket_peer_fixture.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/server_context.h"
#include "runtime/tls/stream.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;
using websocket::CloseFrame;
using websocket::Unmasked;

// Greets, reads one message, and closes with the client.
void Serve(WebSocketPeer& peer) {
  peer.Accept();
  peer.Send(Unmasked(0x81, "welcome"));
  EXPECT_EQ(peer.Frame(), Unmasked(0x81, "hello"));
  EXPECT_EQ(peer.Frame(), CloseFrame(1000, ""));
  peer.Send(CloseFrame(1000, ""));
  peer.HangUp();
}

void Talk(absl::StatusOr<std::unique_ptr<ClientWebSocket>> socket) {
  ASSERT_TRUE(socket.ok()) << socket.status();
  auto message = (*socket)->Receive();
  ASSERT_TRUE(message.ok() && message->has_value()) << message.status();
  EXPECT_EQ((*message)->payload, "welcome");
  EXPECT_TRUE((*socket)->SendText("hello").ok());
  EXPECT_TRUE((*socket)->Close().ok());
}

TEST(WebSocketWays, GoesOverTls) {
  TestAuthority authority("websocket-client");
  const TlsCertificateFiles certificate = authority.Issue("server", {.names = "IP:127.0.0.1"});
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  HttpClientOptions options;
  options.dial.tls.ca_file = authority.ca_file();
  const std::unique_ptr<HttpClient> client = MakeClient(options);
  RunOn(*hub, [&] {
    const TlsServerContext context = *TlsServerContext::Create({.certificates = {certificate}});
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    FiberHandle serving = *Spawn("tls", [&] {
      for (int connection = 0; connection < 2; ++connection) {
        absl::StatusOr<TlsStream> stream = TlsStream::Accept(*listener.Accept(), context);
        ASSERT_TRUE(stream.ok()) << stream.status();
        WebSocketPeer peer(*stream);
        if (connection == 0) {
          Serve(peer);
        } else {
          peer.ReadHead();
          peer.Send("HTTP/1.1 302 \r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
          stream->Close();
        }
      }
    });
    const std::string url = StrCat("wss://", listener.LocalAddress().ToString(), "/");
    Talk(websocket::Connect(*client, url));
    // Who listens on the way must not come to read it after all.
    const absl::Status downgraded = websocket::Connect(*client, url).status();
    EXPECT_TRUE(absl::IsPermissionDenied(downgraded)) << downgraded;
    EXPECT_TRUE(serving.Join().ok());
  });
}

// The proxy would not know what to make of the frames (RFC 6455, 4.1).
TEST(WebSocketWays, GoesThroughAProxysTunnel) {
  std::vector<std::string> heads;
  const auto proxy = [&](Socket& socket, int) {
    WebSocketPeer peer(socket);
    heads.push_back(peer.ReadHead());
    peer.Send("HTTP/1.1 200 Go on\r\n\r\n");
    Serve(peer);
  };
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  std::unique_ptr<HttpClient> client;
  RunOn(*hub, [&] {
    Script script(proxy);
    HttpClientOptions options;
    options.dial.proxy = StrCat("http://me:it@127.0.0.1:", script.port());
    client = MakeClient(options);
    Talk(websocket::Connect(*client, "ws://example.org/chat"));
    ASSERT_EQ(heads.size(), 1u);
    EXPECT_THAT(heads[0], HasSubstr("CONNECT example.org:80 HTTP/1.1\r\n"));
    EXPECT_THAT(heads[0], HasSubstr("\r\nProxy-Authorization: Basic bWU6aXQ=\r\n"));
  });
}

TEST(WebSocketWays, MindsTheAddressesThatAreAllowed) {
  HttpClientOptions options;
  options.dial.allow = [](const SocketAddress&) { return absl::PermissionDeniedError("not here"); };
  WithServer(
      [](TestServer& server, HttpClient& client) {
        const absl::Status refused =
            websocket::Connect(client, StrCat("ws://127.0.0.1:", server.port(), "/")).status();
        EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
      },
      options);
}

}  // namespace
}  // namespace grove::http
