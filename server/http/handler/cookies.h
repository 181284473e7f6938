// Cookies of requests and responses (RFC 6265).
#ifndef GROVE_SERVER_HTTP_HANDLER_COOKIES_H_
#define GROVE_SERVER_HTTP_HANDLER_COOKIES_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/http/handler/request.h"
#include "server/http/handler/response.h"

namespace grove::http {

// The value of the first cookie of that name, as it was sent, without quotes around it.
std::optional<std::string> CookieOf(const Request& request, std::string_view name);

// As a session's should be; each says what to give up.
struct Cookie {
  std::string name;
  std::string value;
  std::string path = "/";
  std::string domain = "";  // empty: the host alone that it came from
  // None: until the browser ends. Zero: it is deleted.
  std::optional<absl::Duration> max_age = std::nullopt;
  bool secure = true;     // over HTTPS alone
  bool http_only = true;  // no script reads it
  enum class SameSite { kLax, kStrict, kNone } same_site = SameSite::kLax;
};

// Adds a Set-Cookie. kInvalidArgument: a name, value, path or domain with what may not stand there,
// or SameSite=None without Secure, which browsers drop. A value of any bytes must be encoded first.
absl::Status SetCookie(Response& response, const Cookie& cookie);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_COOKIES_H_
