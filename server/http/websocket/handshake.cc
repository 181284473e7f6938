#include "server/http/websocket/handshake.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/escaping.h"
#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http::websocket {
namespace {

// 16 bytes in base64.
constexpr size_t kKeyChars = 24;
constexpr size_t kKeyBytes = 16;

Handshake Refuse(int status, std::string reason) {
  return {.status = status, .reason = std::move(reason), .accept = {}, .agreed = {}};
}

bool IsKey(std::string_view key) {
  std::string bytes;
  // Fields that came twice are joined with a comma, and so no key.
  return key.size() == kKeyChars && key.ends_with("==") &&
         absl::Base64Unescape(Abseil(key), &bytes) && bytes.size() == kKeyBytes;
}

// Empty: acceptable.
Handshake CheckForm(const Request& request) {
  if (!HasToken(Joined(request.fields, "upgrade"), "websocket")) {
    return Refuse(400, "this is a WebSocket: \"Upgrade: websocket\" is missing");
  }
  if (request.method != "GET") return Refuse(405, "a WebSocket opens with GET");
  if (request.version_minor < 1) return Refuse(400, "a WebSocket opens with HTTP/1.1");
  if (!HasToken(Joined(request.fields, "connection"), "upgrade")) {
    return Refuse(400, "\"Connection: Upgrade\" is missing");
  }
  const std::optional<std::string> version = Joined(request.fields, "sec-websocket-version");
  if (!version.has_value()) return Refuse(400, "Sec-WebSocket-Version is missing");
  if (*version != "13") return Refuse(426, "Sec-WebSocket-Version must be 13");
  const std::optional<std::string> key = Joined(request.fields, "sec-websocket-key");
  if (!key.has_value()) return Refuse(400, "Sec-WebSocket-Key is missing");
  if (!IsKey(*key)) return Refuse(400, "Sec-WebSocket-Key is not one value of 16 bytes in base64");
  return {.reason = {}, .accept = AcceptFor(*key), .agreed = {}};
}

bool OriginAllowed(const Request& request, const HandshakePolicy& policy) {
  const std::optional<std::string> origin = Joined(request.fields, "origin");
  if (origin.has_value() && !policy.origins.empty() &&
      std::none_of(policy.origins.begin(), policy.origins.end(), [&](const std::string& allowed) {
        return EqualsIgnoreCase(allowed, *origin);
      })) {
    return false;
  }
  return !policy.origin_allowed || policy.origin_allowed(request.host, origin.value_or(""));
}

}  // namespace

Handshake CheckHandshake(const Request& request, const HandshakePolicy& policy) {
  Handshake handshake = CheckForm(request);
  if (handshake.status != 101) return handshake;
  if (!OriginAllowed(request, policy)) return Refuse(403, "this Origin may not connect");
  const std::string offered = Joined(request.fields, "sec-websocket-protocol").value_or("");
  for (const std::string_view subprotocol : Elements(offered)) {
    if (!IsToken(subprotocol)) return Refuse(400, "malformed Sec-WebSocket-Protocol");
    const auto& known = policy.subprotocols;
    if (handshake.agreed.subprotocol.empty() &&
        std::find(known.begin(), known.end(), subprotocol) != known.end()) {
      handshake.agreed.subprotocol = subprotocol;
    }
  }
  const std::optional<std::string> extensions = Joined(request.fields, "sec-websocket-extensions");
  if (!extensions.has_value()) return handshake;
  absl::StatusOr<std::vector<Extension>> offers = ParseExtensions(*extensions);
  if (!offers.ok()) return Refuse(400, std::string(offers.status().message()));
  if (policy.deflate.has_value()) {
    handshake.agreed.deflate = NegotiateDeflate(*offers, *policy.deflate);
  }
  return handshake;
}

}  // namespace grove::http::websocket
