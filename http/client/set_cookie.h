// SetCookie: what a Set-Cookie field says (RFC 6265, 5.2), whoever sent it.
//
// Pure.
#ifndef GROVE_HTTP_CLIENT_SET_COOKIE_H_
#define GROVE_HTTP_CLIENT_SET_COOKIE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace grove::http {

// Of name and value together, and of an attribute: what browsers take.
inline constexpr size_t kCookieBytesMax = 4096;
inline constexpr size_t kCookieAttributeBytesMax = 1024;

struct SetCookie {
  std::string name;
  std::string value;
  std::string domain;  // lower case, without a dot in front; empty: none
  std::string path;    // empty: none that begins with '/'
  bool secure = false;
  // Max-Age wins over Expires.
  std::optional<absl::Duration> max_age;
  std::optional<absl::Time> expires;

  // Nothing: there is no name, a control character, or it is too long.
  static std::optional<SetCookie> Parse(std::string_view field);
};

// RFC 6265, 5.1.1: as servers write dates, not as they should.
std::optional<absl::Time> ParseCookieDate(std::string_view text);

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_SET_COOKIE_H_
