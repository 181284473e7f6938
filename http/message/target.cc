#include "http/message/target.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "http/message/field.h"
#include "http/message/scan.h"
#include "http/message/utf8.h"

namespace grove::http {
namespace {

constexpr std::array<bool, 256> kRegName = scan_internal::MakeTable("-._~!$&'()*+,;=%");

// unreserved, sub-delims or a part of pct-encoded (RFC 3986, 3.2.2).
inline bool IsRegNameChar(char c) {
  return kRegName[static_cast<uint8_t>(c)];
}

bool IsHexDigit(char c) {
  return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

// At the "%" of a pct-encoded (RFC 3986, 2.1).
bool IsEscape(const char* p, const char* end) {
  return end - p > 2 && IsHexDigit(p[1]) && IsHexDigit(p[2]);
}

// "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) (RFC 3986, 3.2.2).
bool IsFutureAddress(std::string_view text) {
  if (text.empty() || (text.front() | 0x20) != 'v') return false;
  const size_t dot = std::min(text.find('.'), text.size());
  const std::string_view version = text.substr(1, dot - 1);
  const std::string_view rest = text.substr(std::min(dot + 1, text.size()));
  return !version.empty() && std::all_of(version.begin(), version.end(), IsHexDigit) &&
         !rest.empty() && std::all_of(rest.begin(), rest.end(), [](char c) {
           return c == ':' || (c != '%' && IsRegNameChar(c));
         });
}

// What stands between the brackets. No zone: it means nothing to another host (RFC 6874, 4).
bool IsIpLiteral(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN] = {};
  in6_addr address;
  if (text.size() >= sizeof(terminated)) return IsFutureAddress(text);
  text.copy(terminated, text.size());
  return inet_pton(AF_INET6, terminated, &address) == 1 || IsFutureAddress(text);
}

bool IsPort(std::string_view port) {
  if (port.size() > 5) return false;
  unsigned number = 0;
  for (const char c : port) {
    if (!IsDigit(c)) return false;
    number = number * 10 + (c - '0');
  }
  return number <= 65535;
}

// Path and query of an origin form, or of what follows an authority.
inline void SplitPath(std::string_view text, Target& parsed) {
  const char* const end = text.data() + text.size();
  const char* p = text.data();
  while (p != end && *p != '?') ++p;
  parsed.path = std::string_view(text.data(), p - text.data());
  if (p != end) parsed.query = std::string_view(p + 1, end - p - 1);
}

// *( unreserved / pct-encoded / sub-delims / ":" ) (RFC 3986, 3.2.1). An "@" or "\\" in it would
// let another recipient see another host.
bool IsUserinfo(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end; ++p) {
    if (*p == '%' ? !IsEscape(p, end) : *p != ':' && !IsRegNameChar(*p)) return false;
  }
  return true;
}

bool ParseAbsolute(std::string_view method, std::string_view target, Target& parsed) {
  const size_t colon = target.find("://");
  if (colon == std::string_view::npos) return false;
  const std::string_view scheme = target.substr(0, colon);
  if (!EqualsIgnoreCase(scheme, "http") && !EqualsIgnoreCase(scheme, "https")) return false;
  const std::string_view rest = target.substr(colon + 3);
  const size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (!IsUserinfo(authority.substr(0, at))) return false;
    authority.remove_prefix(at + 1);
  }
  if (authority.empty() || authority.front() == ':' || !IsValidHost(authority)) return false;
  SplitPath(rest.substr(slash), parsed);
  if (parsed.path.empty()) {
    // Without path and query, OPTIONS asks about the server (RFC 9112, 3.2.4).
    parsed.path = method == "OPTIONS" && slash == rest.size() ? "*" : "/";
  }
  parsed.authority = authority;
  parsed.scheme = scheme;
  return true;
}

bool ParseAuthority(std::string_view target, Target& parsed) {
  const size_t colon = target.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == target.size()) return false;
  if (!IsValidHost(target) || !IsDigit(target.back())) return false;
  parsed.authority = target;
  return true;
}

}  // namespace

bool IsTargetText(std::string_view target, TargetText allowed) {
  const char* const end = target.data() + target.size();
  bool ascii = true;
  for (const char* p = target.data(); (p = SkipUri(p, end)) != end;) {
    if (*p == '%') {
      if (!IsEscape(p, end)) return false;
      p += 3;
    } else if (static_cast<uint8_t>(*p) >= 0x80 && allowed == TargetText::kUriAndUtf8) {
      ascii = false;
      ++p;
    } else {
      return false;
    }
  }
  return ascii || IsUtf8(target);
}

bool ParseTarget(std::string_view method, std::string_view target, Target& parsed) {
  if (method == "CONNECT") return ParseAuthority(target, parsed);
  if (target.front() == '/') {
    SplitPath(target, parsed);
    return true;
  }
  if (target != "*") return ParseAbsolute(method, target, parsed);
  parsed.path = target;
  return method == "OPTIONS";
}

bool IsValidHost(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const size_t close = host.find(']');
    if (close == std::string_view::npos) return false;
    const std::string_view rest = host.substr(close + 1);
    return IsIpLiteral(host.substr(1, close - 1)) &&
           (rest.empty() || (rest.front() == ':' && IsPort(rest.substr(1))));
  }
  const char* const end = host.data() + host.size();
  const char* p = host.data();
  while (p != end && IsRegNameChar(*p)) {
    if (*p == '%' && !IsEscape(p, end)) return false;
    ++p;
  }
  return p == end || (*p == ':' && IsPort(std::string_view(p + 1, end - p - 1)));
}

}  // namespace grove::http
