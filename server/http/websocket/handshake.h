// Handshake: whether a request opens a WebSocket, and what the answer says (RFC 6455, 4.2).
//
// Pure.
#ifndef GROVE_SERVER_HTTP_WEBSOCKET_HANDSHAKE_H_
#define GROVE_SERVER_HTTP_WEBSOCKET_HANDSHAKE_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/websocket/handshake_fields.h"
#include "http/websocket/permessage_deflate.h"
#include "server/http/handler/handler.h"

namespace grove::http::websocket {

struct HandshakePolicy {
  // The first of the client's that is among these is chosen; none is no failure.
  std::vector<std::string> subprotocols;
  // 403 for other Origins, compared without case, such as "https://example.com". Empty: any. A
  // request without Origin passes: it is not a browser's.
  std::vector<std::string> origins;
  // Asked, if set, about every request in addition: its Host, and its Origin or "".
  std::function<bool(std::string_view host, std::string_view origin)> origin_allowed;
  // Compression is declined if not set.
  std::optional<DeflatePolicy> deflate;
};

struct Handshake {
  // 101, or why not: 400, 403, 405, 426.
  int status = 101;
  std::string reason;
  std::string accept;  // Sec-WebSocket-Accept
  Agreement agreed;
};

Handshake CheckHandshake(const Request& request, const HandshakePolicy& policy);

}  // namespace grove::http::websocket

#endif  // GROVE_SERVER_HTTP_WEBSOCKET_HANDSHAKE_H_
