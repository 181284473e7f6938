#include "server/http/websocket/websocket_handler.h"

#include <utility>

namespace grove::http {

Handler WebSocketHandler(WebSocketOptions options, WebSocketFunction function) {
  return [options = std::move(options), function = std::move(function)](
             Request& request, Response& response) -> absl::Status {
    const websocket::Handshake handshake = websocket::CheckHandshake(request, options.handshake);
    if (handshake.status != 101) {
      if (handshake.status == 405) response.Add("Allow", "GET");
      // A proxy between us may have begun to tunnel: what follows is no request.
      response.Add("Connection", "close");
      if (handshake.status == 426) {
        response.Add("Upgrade",
                     "websocket");  // a 426 says to what (RFC 9110, 15.5.22)
        response.Add("Sec-WebSocket-Version", "13");
      }
      return response.Send(handshake.status, "text/plain", handshake.reason + "\r\n");
    }
    response.Add("Sec-WebSocket-Accept", handshake.accept);
    if (!handshake.agreed.subprotocol.empty()) {
      response.Add("Sec-WebSocket-Protocol", handshake.agreed.subprotocol);
    }
    if (handshake.agreed.deflate.has_value()) {
      response.Add("Sec-WebSocket-Extensions", handshake.agreed.deflate->answer);
    }
    absl::StatusOr<Transport*> transport = response.SwitchProtocols("websocket");
    if (!transport.ok()) return transport.status();
    WebSocket socket(**transport, websocket::Role::kServer, options, handshake.agreed);
    return socket.Serve([&] { return function(socket, request); });
  };
}

}  // namespace grove::http
