// What docs/http_client.md shows of WebSockets.
#include "http/client/websocket_client.h"
#include "http/client/websocket_peer_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::http {
namespace {

class WebSocketExample : public WebSocketPeerTest {};

void Subscribe(HttpClient& client, const std::string& path, std::vector<std::string>& prices) {
  // [websocket]
  ConnectOptions options;
  options.fields = {{"Authorization", "Bearer 1234"}};
  options.subprotocols = {"prices.v1"};
  options.session.limits.message_bytes_max = 64 * 1024;
  options.unix_socket = path;  // leave it out for TCP
  Timeout timeout(absl::Minutes(1));
  absl::StatusOr<std::unique_ptr<ClientWebSocket>> socket =
      websocket::Connect(client, "ws://prices.example/live", options);
  if (!socket.ok()) return;  // refused, with the server's status and words; or never reached
  if (!(*socket)->SendText(R"({"subscribe": "GRV"})").ok()) return;
  for (;;) {
    absl::StatusOr<std::optional<Message>> message = (*socket)->Receive();
    if (!message.ok()) break;          // cut off, or closed for a reason, which the status says
    if (!message->has_value()) break;  // closed in peace
    prices.push_back((*message)->payload);
    if (prices.size() == 2) (*socket)->Close().IgnoreError();
  }
  // [/websocket]
}

TEST_F(WebSocketExample, Subscribes) {
  std::vector<std::string> prices;
  With(
      [](WebSocketPeer& peer) {
        peer.Accept("Sec-WebSocket-Protocol: prices.v1\r\n");
        EXPECT_EQ(peer.Frame(), websocket::Unmasked(0x81, R"({"subscribe": "GRV"})"));
        peer.Send(websocket::Unmasked(0x81, "1") + websocket::Unmasked(0x81, "2"));
        peer.Frame();
        peer.Send(websocket::Unmasked(0x88, "\x03\xe8"));
      },
      [&] { Subscribe(*client_, path_, prices); });
  EXPECT_EQ(prices, (std::vector<std::string>{"1", "2"}));
}

TEST_F(WebSocketExample, SendsByPieces) {
  With(
      [](WebSocketPeer& peer) {
        peer.Accept();
        EXPECT_EQ(peer.Frame(), websocket::Unmasked(0x02, "row 1\n"));
        EXPECT_EQ(peer.Frame(), websocket::Unmasked(0x00, "row 2\n"));
        EXPECT_EQ(peer.Frame(), websocket::Unmasked(0x80, ""));
      },
      [&] {
        std::unique_ptr<ClientWebSocket> socket = Connect();
        // [pieces]
        int row = 0;
        absl::Status sent = socket->SendPieces(MessageType::kBinary, [&] {
          std::string piece = ++row <= 2 ? "row " + std::to_string(row) + "\n" : "";
          return absl::StatusOr<std::string>(piece);  // an empty one is the end
        });
        // [/pieces]
        EXPECT_TRUE(sent.ok()) << sent;
      });
}

}  // namespace
}  // namespace grove::http
