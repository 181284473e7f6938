#include "server/http/websocket/handshake.h"

#include <openssl/sha.h>

#include <algorithm>
#include <string_view>

#include "absl/strings/escaping.h"
#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http::websocket {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
// 16 bytes in base64.
constexpr size_t kKeyChars = 24;
constexpr size_t kKeyBytes = 16;

Handshake Refuse(int status, std::string reason) {
  return {.status = status, .reason = std::move(reason), .accept = {}, .subprotocol = {}};
}

// All fields of that name, joined as one list (RFC 9110, 5.3); nothing if there is none.
std::optional<std::string> Joined(const Request& request, std::string_view name) {
  std::optional<std::string> joined;
  for (const Field& field : request.fields) {
    if (!EqualsIgnoreCase(field.name, name)) continue;
    if (joined.has_value()) {
      joined->append(",").append(field.value);
    } else {
      joined.emplace(field.value);
    }
  }
  return joined;
}

std::vector<std::string_view> Elements(std::string_view list) {
  std::vector<std::string_view> elements;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = TrimBlanks(list.substr(0, comma));
    if (!element.empty()) elements.push_back(element);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return elements;
}

bool HasToken(const std::optional<std::string>& list, std::string_view token) {
  if (!list.has_value()) return false;
  const std::vector<std::string_view> elements = Elements(*list);
  return std::any_of(elements.begin(), elements.end(),
                     [&](std::string_view element) { return EqualsIgnoreCase(element, token); });
}

bool IsKey(std::string_view key) {
  std::string bytes;
  // Fields that came twice are joined with a comma, and so no key.
  return key.size() == kKeyChars && key.ends_with("==") &&
         absl::Base64Unescape(Abseil(key), &bytes) && bytes.size() == kKeyBytes;
}

// Empty: acceptable.
Handshake CheckForm(const Request& request) {
  if (!HasToken(Joined(request, "upgrade"), "websocket")) {
    return Refuse(400, "this is a WebSocket: \"Upgrade: websocket\" is missing");
  }
  if (request.method != "GET") return Refuse(405, "a WebSocket opens with GET");
  if (request.version_minor < 1) return Refuse(400, "a WebSocket opens with HTTP/1.1");
  if (!HasToken(Joined(request, "connection"), "upgrade")) {
    return Refuse(400, "\"Connection: Upgrade\" is missing");
  }
  const std::optional<std::string> version = Joined(request, "sec-websocket-version");
  if (!version.has_value()) return Refuse(400, "Sec-WebSocket-Version is missing");
  if (*version != "13") return Refuse(426, "Sec-WebSocket-Version must be 13");
  const std::optional<std::string> key = Joined(request, "sec-websocket-key");
  if (!key.has_value()) return Refuse(400, "Sec-WebSocket-Key is missing");
  if (!IsKey(*key)) return Refuse(400, "Sec-WebSocket-Key is not one value of 16 bytes in base64");
  return {.reason = {}, .accept = AcceptFor(*key), .subprotocol = {}};
}

bool OriginAllowed(const Request& request, const HandshakePolicy& policy) {
  const std::optional<std::string> origin = Joined(request, "origin");
  if (origin.has_value() && !policy.origins.empty() &&
      std::none_of(policy.origins.begin(), policy.origins.end(), [&](const std::string& allowed) {
        return EqualsIgnoreCase(allowed, *origin);
      })) {
    return false;
  }
  return !policy.origin_allowed || policy.origin_allowed(request.host, origin.value_or(""));
}

}  // namespace

std::string AcceptFor(std::string_view key) {
  const std::string salted = std::string(key).append(kGuid);
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(), digest);
  return absl::Base64Escape(Abseil({reinterpret_cast<const char*>(digest), sizeof(digest)}));
}

Handshake CheckHandshake(const Request& request, const HandshakePolicy& policy) {
  Handshake handshake = CheckForm(request);
  if (handshake.status != 101) return handshake;
  if (!OriginAllowed(request, policy)) return Refuse(403, "this Origin may not connect");
  const std::string offered = Joined(request, "sec-websocket-protocol").value_or("");
  for (const std::string_view subprotocol : Elements(offered)) {
    if (!IsToken(subprotocol)) return Refuse(400, "malformed Sec-WebSocket-Protocol");
    const auto& known = policy.subprotocols;
    if (handshake.subprotocol.empty() &&
        std::find(known.begin(), known.end(), subprotocol) != known.end()) {
      handshake.subprotocol = subprotocol;
    }
  }
  const std::optional<std::string> extensions = Joined(request, "sec-websocket-extensions");
  if (!extensions.has_value()) return handshake;
  absl::StatusOr<std::vector<Extension>> offers = ParseExtensions(*extensions);
  if (!offers.ok()) return Refuse(400, std::string(offers.status().message()));
  if (policy.deflate.has_value()) handshake.deflate = NegotiateDeflate(*offers, *policy.deflate);
  return handshake;
}

}  // namespace grove::http::websocket
