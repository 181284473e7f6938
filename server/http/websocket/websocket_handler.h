// WebSocketHandler: a route whose function talks to each client over a WebSocket.
//
// It answers the handshake (RFC 6455, 4.2) and runs the function beside the WebSocket's reader. Hub
// thread only.
#ifndef GROVE_SERVER_HTTP_WEBSOCKET_WEBSOCKET_HANDLER_H_
#define GROVE_SERVER_HTTP_WEBSOCKET_WEBSOCKET_HANDLER_H_

#include <functional>

#include "absl/status/status.h"
#include "http/websocket/websocket.h"
#include "server/http/handler/handler.h"
#include "server/http/websocket/handshake.h"

namespace grove::http {

struct WebSocketOptions : WebSocketSessionOptions {
  // Subprotocols, origins, compression. By default compression is taken if a client offers it.
  websocket::HandshakePolicy handshake{.subprotocols = {},
                                       .origins = {},
                                       .origin_allowed = {},
                                       .deflate = websocket::DeflatePolicy()};
};

// Runs on a fiber; the request's views are valid until it returns. Fibers that it starts must have
// let go of the WebSocket by then. An error or an exception closes with 1011.
using WebSocketFunction = std::function<absl::Status(WebSocket& socket, const Request& request)>;

// A Handler that answers a request's handshake and runs `function`; other requests get 400, 403,
// 405 or 426.
Handler WebSocketHandler(WebSocketOptions options, WebSocketFunction function);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_WEBSOCKET_WEBSOCKET_HANDLER_H_
