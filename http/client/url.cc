#include "http/client/url.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "http/message/field.h"
#include "http/message/scan.h"
#include "runtime/io/ip_address.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

constexpr size_t kShownBytesMax = 200;
constexpr size_t kHostBytesMax = 255;

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrFormat("\"%s\" is not an absolute http or https URL: %s",
                      absl::CHexEscape(Abseil(text.substr(0, kShownBytesMax))), Abseil(why)));
}

// What of a path and query stands in a request's target as it is.
bool StandsInTarget(char c) {
  return scan_internal::kUri[static_cast<uint8_t>(c)] || c == '%';
}

void AppendEncoded(std::string& target, char c) {
  if (StandsInTarget(c)) {
    target.push_back(c);
  } else {
    target += absl::StrFormat("%%%02X", static_cast<uint8_t>(c));
  }
}

bool IsControlOrBlank(char c) {
  return static_cast<uint8_t>(c) <= 0x20 || c == 0x7f;
}

// "http" or "https" and what follows "://"; nothing if it is another scheme, or none.
std::optional<bool> TakeScheme(std::string_view& text) {
  for (const bool https : {true, false}) {
    const std::string_view scheme = https ? "https://" : "http://";
    if (text.size() >= scheme.size() && EqualsIgnoreCase(text.substr(0, scheme.size()), scheme)) {
      text.remove_prefix(scheme.size());
      return https;
    }
  }
  return std::nullopt;
}

bool HasScheme(std::string_view text) {
  const size_t colon = text.find_first_of(":/?#");
  if (colon == std::string_view::npos || text[colon] != ':' || colon == 0) return false;
  return absl::ascii_isalpha(static_cast<uint8_t>(text[0]));
}

bool IsHostChar(char c) {
  return absl::ascii_isalnum(static_cast<uint8_t>(c)) || c == '-' || c == '.' || c == '_';
}

// What is wrong with it; empty: nothing.
std::string_view SetHost(std::string_view host, Url& url) {
  if (host.starts_with('[')) {
    const std::string_view address = host.substr(1, host.size() - 2);
    const std::optional<IpAddress> parsed = IpAddress::Parse(address);
    if (!host.ends_with(']') || !parsed.has_value() || address.find(':') == std::string::npos) {
      return "in brackets stands no IPv6 address";
    }
    url.host = parsed->ToString();
    return "";
  }
  if (host.empty()) return "it names no host";
  if (host.size() > kHostBytesMax) return "its host is longer than 255 bytes";
  const auto is_ascii = [](char c) { return static_cast<uint8_t>(c) < 0x80; };
  if (!std::all_of(host.begin(), host.end(), is_ascii)) {
    return "its host is not in ASCII; write it in Punycode (xn--…)";
  }
  if (!std::all_of(host.begin(), host.end(), IsHostChar)) return "its host is no name or address";
  url.host = absl::AsciiStrToLower(Abseil(host));
  return "";
}

std::string_view SetPort(std::string_view port, Url& url) {
  url.port = url.https ? 443 : 80;
  if (port.empty()) return "";
  int number = 0;
  const bool digits = std::all_of(port.begin(), port.end(), IsDigit);
  if (!digits || !absl::SimpleAtoi(Abseil(port), &number) || number < 1 || number > 65535) {
    return "its port is not from 1 to 65535";
  }
  url.port = static_cast<uint16_t>(number);
  return "";
}

// "user@host:port".
std::string_view SetAuthority(std::string_view authority, Url& url) {
  const size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    url.userinfo = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  const size_t after_host = authority.starts_with('[') ? authority.find(']') : 0;
  const size_t colon = authority.find(':', after_host == std::string_view::npos ? 0 : after_host);
  const std::string_view host = authority.substr(0, colon);
  if (std::string_view wrong = SetHost(host, url); !wrong.empty()) return wrong;
  return SetPort(colon == std::string_view::npos ? "" : authority.substr(colon + 1), url);
}

// From what follows the authority, up to the fragment.
void SetTarget(std::string_view rest, Url& url) {
  rest = rest.substr(0, rest.find('#'));
  url.target.clear();
  if (!rest.starts_with('/')) url.target.push_back('/');
  for (const char c : rest) AppendEncoded(url.target, c);
}

// RFC 3986, 5.2.4, for a path that begins with '/'.
std::string WithoutDotSegments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_in_folder = false;
  path.remove_prefix(1);
  for (;;) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    ends_in_folder = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!ends_in_folder) kept.push_back(segment);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  std::string joined;
  for (const std::string_view segment : kept) StrAppend(&joined, "/", segment);
  if (ends_in_folder || joined.empty()) joined.push_back('/');
  return joined;
}

}  // namespace

absl::StatusOr<Url> Url::Parse(std::string_view text) {
  if (text.size() > kUrlBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d bytes are more than the %d of a URL", text.size(), kUrlBytesMax));
  }
  if (std::any_of(text.begin(), text.end(), IsControlOrBlank)) {
    return Bad(text, "it has blanks or control characters");
  }
  std::string_view rest = text;
  const std::optional<bool> https = TakeScheme(rest);
  if (!https.has_value()) return Bad(text, "want http:// or https://");
  Url url{.https = *https};
  const size_t end = rest.find_first_of("/?#");
  if (std::string_view wrong = SetAuthority(rest.substr(0, end), url); !wrong.empty()) {
    return Bad(text.substr(0, text.size() - rest.size()), wrong);
  }
  SetTarget(end == std::string_view::npos ? "" : rest.substr(end), url);
  return url;
}

absl::StatusOr<Url> Url::Follow(std::string_view reference) const {
  reference = TrimBlanks(reference.substr(0, kUrlBytesMax + 1));
  if (reference.size() > kUrlBytesMax) {
    return absl::FailedPreconditionError("a redirect's Location is longer than a URL may be");
  }
  std::string encoded;
  for (const char c : reference) {
    if (IsControlOrBlank(c)) {
      encoded += absl::StrFormat("%%%02X", static_cast<uint8_t>(c));
    } else {
      encoded.push_back(c);
    }
  }
  const auto parse = [](const std::string& text) -> absl::StatusOr<Url> {
    absl::StatusOr<Url> url = Parse(text);
    if (url.ok()) return url;
    return absl::FailedPreconditionError(
        StrCat("a redirect is malformed: ", url.status().message()));
  };
  if (HasScheme(encoded)) {
    std::string_view rest = encoded;
    if (!TakeScheme(rest).has_value()) {
      return absl::PermissionDeniedError("a redirect leads to another scheme than http or https");
    }
    return parse(encoded);
  }
  if (encoded.starts_with("//")) return parse(StrCat(https ? "https:" : "http:", encoded));
  Url next = *this;
  encoded = encoded.substr(0, encoded.find('#'));
  if (encoded.empty()) return next;
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  if (encoded.starts_with('?')) {
    SetTarget(StrCat(path, encoded), next);
    return next;
  }
  const size_t query_at = std::min(encoded.find('?'), encoded.size());
  std::string merged = encoded.substr(0, query_at);
  if (!merged.starts_with('/')) merged = StrCat(path.substr(0, path.rfind('/') + 1), merged);
  SetTarget(StrCat(WithoutDotSegments(merged), encoded.substr(query_at)), next);
  return next;
}

std::string Url::HostField() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  std::string field = is_ipv6 ? StrCat("[", host, "]") : host;
  if (port != (https ? 443 : 80)) StrAppend(&field, ":", port);
  return field;
}

std::string Url::Authority() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? StrCat("[", host, "]:", port) : StrCat(host, ":", port);
}

std::string Url::ToString() const {
  return StrCat(https ? "https://" : "http://", HostField(), target);
}

std::string HttpReference(std::string_view reference) {
  constexpr std::pair<std::string_view, std::string_view> kSchemes[] = {{"ws:", "http:"},
                                                                        {"wss:", "https:"}};
  for (const auto& [from, to] : kSchemes) {
    if (EqualsIgnoreCase(reference.substr(0, from.size()), from)) {
      return std::string(to).append(reference.substr(from.size()));
    }
  }
  return std::string(reference);
}

}  // namespace grove::http
