#include "server/config/origin_pattern.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "runtime/io/ip_address.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/handler/route_pattern.h"

namespace grove::config {
namespace {

absl::Status Malformed(std::string_view text) {
  return absl::InvalidArgumentError(
      StrCat("'", absl::CHexEscape(Abseil(text)),
             "' is no origin: want https://HOST or http://HOST, with :PORT or without; HOST may be "
             "*.example.org or *"));
}

}  // namespace

absl::StatusOr<OriginPattern> OriginPattern::Parse(std::string_view text) {
  OriginPattern pattern;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    pattern.https = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return Malformed(text);
  }
  std::string_view host = rest;
  if (rest.starts_with('[')) {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) return Malformed(text);
    host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!IpAddress::Parse(host).has_value()) return Malformed(text);
  } else {
    host = rest.substr(0, rest.find(':'));
    rest.remove_prefix(host.size());
    if (host != "*" && !http::ParseHostPattern(host).ok()) return Malformed(text);
  }
  pattern.host = absl::AsciiStrToLower(Abseil(host));
  if (rest.empty()) return pattern;
  int port = 0;
  if (rest[0] != ':' || !SimpleAtoi(rest.substr(1), &port) || port < 1 || port > 65535) {
    return Malformed(text);
  }
  pattern.port = static_cast<uint16_t>(port);
  return pattern;
}

bool OriginPattern::Matches(bool is_https, std::string_view name, uint16_t at_port) const {
  if (is_https != https || (port != 0 && port != at_port)) return false;
  if (host == "*") return true;
  if (!host.starts_with("*.")) return name == host;
  const std::string_view suffix = std::string_view(host).substr(1);
  return name.size() > suffix.size() && name.ends_with(suffix);
}

// A host itself before all patterns, the longer of these first; then who names the port.
size_t OriginPattern::rank() const {
  constexpr size_t kExact = size_t{1} << 20;
  const size_t of_host = host == "*" ? 0 : host.starts_with("*.") ? host.size() : kExact;
  return 2 * of_host + (port != 0 ? 1 : 0);
}

}  // namespace grove::config
