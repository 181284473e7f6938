#include "http/websocket/handshake_fields.h"

#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http::websocket {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

}  // namespace

std::optional<std::string> Joined(FieldSpan fields, std::string_view name) {
  std::optional<std::string> joined;
  for (const Field& field : fields) {
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

std::string AcceptFor(std::string_view key) {
  const std::string salted = std::string(key).append(kGuid);
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(), digest);
  return absl::Base64Escape(Abseil({reinterpret_cast<const char*>(digest), sizeof(digest)}));
}

}  // namespace grove::http::websocket
