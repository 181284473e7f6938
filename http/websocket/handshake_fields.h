// HandshakeFields: what both ends of a handshake read and write (RFC 6455, 4).
//
// Pure.
#ifndef GROVE_HTTP_WEBSOCKET_HANDSHAKE_FIELDS_H_
#define GROVE_HTTP_WEBSOCKET_HANDSHAKE_FIELDS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message/field.h"
#include "http/websocket/permessage_deflate.h"

namespace grove::http::websocket {

// What a handshake has agreed on.
struct Agreement {
  std::string subprotocol;  // empty: none
  std::optional<DeflateAgreement> deflate;
};

// All fields of that name, joined as one list (RFC 9110, 5.3); nothing if there is none.
std::optional<std::string> Joined(FieldSpan fields, std::string_view name);
// A list's elements that are not empty, as views of it.
std::vector<std::string_view> Elements(std::string_view list);
// Compared without case.
bool HasToken(const std::optional<std::string>& list, std::string_view token);

// The value that proves that the server understood the key (RFC 6455, 4.2.2).
std::string AcceptFor(std::string_view key);

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_HANDSHAKE_FIELDS_H_
