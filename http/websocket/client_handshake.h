// ClientHandshake: what a client asks for to open a WebSocket, and whether the answer grants it
// (RFC 6455, 4.1).
//
// Pure but for the key, which is random.
#ifndef GROVE_HTTP_WEBSOCKET_CLIENT_HANDSHAKE_H_
#define GROVE_HTTP_WEBSOCKET_CLIENT_HANDSHAKE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/message/field.h"
#include "http/websocket/handshake_fields.h"
#include "http/websocket/permessage_deflate.h"

namespace grove::http::websocket {

struct ClientHandshake {
  // By preference; the server chooses one, or none.
  std::vector<std::string> subprotocols;
  // Compression is not offered if not set.
  std::optional<DeflatePolicy> deflate;
  // 16 bytes in base64, fresh for each connection.
  std::string key;

  static std::string MakeKey();

  // kInvalidArgument: subprotocols that are no tokens, or named twice; windows beyond 8 to 15.
  absl::Status Check() const;
  // Names and values of the request, but for Upgrade and Connection.
  std::vector<std::pair<std::string, std::string>> Fields() const;
  // What the fields of a 101 agree to. kUnavailable: it is no answer to this, and why.
  absl::StatusOr<Agreement> TakeAnswer(FieldSpan fields) const;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_CLIENT_HANDSHAKE_H_
