// Cors: lets pages of other origins use a route (Fetch standard, "CORS protocol").
//
// A preflight is answered here and never reaches the handler. An origin that is not allowed gets
// the response without the fields that would open it: the browser keeps it from the page.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_CORS_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_CORS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/http/handler/middleware.h"

namespace grove::http {

struct CorsOptions {
  // "https://app.example.org", "https://*.example.org" (one label or more) or "*".
  std::vector<std::string> origins;
  std::vector<std::string> methods = {"GET", "HEAD", "POST"};
  std::vector<std::string> request_headers;   // beyond the safelisted ones; or "*"
  std::vector<std::string> response_headers;  // that pages may read
  // Cookies and Authorization too. Never together with "*".
  bool credentials = false;
  // That a browser may keep a preflight's answer.
  absl::Duration max_age = absl::Seconds(600);
};

// kInvalidArgument: no origin, one that is none ("https://a/"), "*" with credentials, a method or
// header that is no token.
absl::Status CheckCors(const CorsOptions& options);

bool IsAllowedOrigin(const CorsOptions& options, std::string_view origin);

// Requires: CheckCors is OK.
Middleware Cors(CorsOptions options);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_CORS_H_
