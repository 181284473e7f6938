// ClientWebSocket: a WebSocket to another server (RFC 6455), for fibers.
//
//   absl::StatusOr<std::unique_ptr<ClientWebSocket>> socket =
//       websocket::Connect(client, "wss://example.org/chat");
//   if (socket.ok()) (*socket)->SendText("hello").IgnoreError();
//
// It opens by an HttpClient's request, and so by its names, addresses that are allowed, proxy, TLS
// and limits; it holds a place in the client's pool until it dies. Any number of fibers may send,
// and one receives; a fiber of its own reads beside them. Timeout scopes bound all calls.
// Hub thread only.
#ifndef GROVE_HTTP_CLIENT_WEBSOCKET_CLIENT_H_
#define GROVE_HTTP_CLIENT_WEBSOCKET_CLIENT_H_

#include <climits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/client/http_client.h"
#include "http/client/switched_connection.h"
#include "http/websocket/handshake_fields.h"
#include "http/websocket/permessage_deflate.h"
#include "http/websocket/websocket.h"
#include "runtime/hub/fiber.h"
#include "runtime/sync/event.h"

namespace grove::http {

struct ConnectOptions {
  // Of the request, such as Authorization; none of the handshake's own.
  HttpFields fields;
  // By preference; the server chooses one, or none.
  std::vector<std::string> subprotocols;
  // What a browser's page would come from; empty: none is named.
  std::string origin;
  // Offered; not set: no compression. The windows bound the memory as at the server.
  std::optional<websocket::DeflatePolicy> deflate =
      websocket::DeflatePolicy{.server_window_bits = 15, .client_window_bits = 12};
  // Limits of messages, pings, closing.
  WebSocketSessionOptions session;
  // Followed, as far as the HttpClient follows any; never from wss to ws.
  int redirects_max = INT_MAX;
  // As of an HttpRequest.
  std::string unix_socket;
  CookieJar* cookies = nullptr;
  // What a server said that opened no WebSocket, with up to so much of its body. Null: not wanted.
  HttpResponse* refusal = nullptr;
  size_t refusal_bytes_max = 16 * 1024;
};

class ClientWebSocket {
 public:
  // Without Close() the server sees a connection that ends without a close frame. Requires: no
  // other fiber is in a call. **Parks** until its own fiber has ended.
  ~ClientWebSocket();
  ClientWebSocket(const ClientWebSocket&) = delete;
  ClientWebSocket& operator=(const ClientWebSocket&) = delete;

  // As of WebSocket.
  absl::StatusOr<std::optional<Message>> Receive() { return socket_.Receive(); }
  absl::Status Send(MessageType type, std::string_view payload) {
    return socket_.Send(type, payload);
  }
  absl::Status SendText(std::string_view text) { return socket_.SendText(text); }
  absl::Status SendBinary(std::string_view bytes) { return socket_.SendBinary(bytes); }
  absl::Status SendPieces(MessageType type, websocket::MessageSource next) {
    return socket_.SendPieces(type, std::move(next));
  }
  absl::Status Ping(std::string_view payload = {}) { return socket_.Ping(payload); }

  // Closes, and waits for the server's close frame and that it hangs up, for close_timeout each at
  // most. OK as well if it was closed already. kInvalidArgument: as of WebSocket::Close();
  // kUnavailable: the connection is gone, or ended now, without the server's close frame.
  // **Parks.**
  absl::Status Close(uint16_t code = websocket::kCloseNormal, std::string_view reason = {});

  bool closing() const { return socket_.closing(); }
  // What the server's close frame said; kCloseAbnormal if there was none (yet).
  const websocket::CloseStatus& peer_close() const { return socket_.peer_close(); }
  const std::string& subprotocol() const { return socket_.subprotocol(); }
  bool compressed() const { return socket_.compressed(); }
  // After redirects, as http or https, without credentials.
  const std::string& url() const { return url_; }
  // For code that serves either end. Its Close() waits for nothing.
  WebSocket& session() { return socket_; }

 private:
  friend class WebSocketConnector;

  ClientWebSocket(std::unique_ptr<SwitchedConnection> connection,
                  const WebSocketSessionOptions& options, websocket::Agreement agreed,
                  std::string url);
  void Run();
  void AwaitHangup();

  const std::unique_ptr<SwitchedConnection> connection_;
  const WebSocketSessionOptions options_;
  const websocket::Agreement agreed_;
  const std::string url_;
  WebSocket socket_;
  FiberHandle reader_;
  Event ended_;
};

namespace websocket {

// Opens a WebSocket by a ws or wss URL. kInvalidArgument: the URL, a field, a subprotocol;
// kUnauthenticated (401, 407), kPermissionDenied (403), kNotFound (404, 410), kResourceExhausted
// (429), kUnavailable (5xx), kFailedPrecondition: the server answers something else than a
// WebSocket, with its status and how its body begins; kUnavailable: its handshake is wrong; else as
// of HttpClient::Fetch(). The client must outlive what is returned. **Parks.**
absl::StatusOr<std::unique_ptr<ClientWebSocket>> Connect(HttpClient& client, std::string_view url,
                                                         ConnectOptions options = {});

}  // namespace websocket
}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_WEBSOCKET_CLIENT_H_
