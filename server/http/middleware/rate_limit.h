// RateLimit: answers 429 with Retry-After once a client, tenant, token or field value has asked
// too often.
//
// Each worker process counts for itself.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_RATE_LIMIT_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_RATE_LIMIT_H_

#include <string>
#include <string_view>

#include "server/http/handler/middleware.h"
#include "server/http/middleware/token_buckets.h"

namespace grove::http {

struct RateLimitOptions {
  enum class Key { kClient, kTenant, kToken, kHeader, kRoute };
  TokenBuckets::Options buckets;
  Key key = Key::kClient;
  std::string header;  // of kHeader
  // RateLimit-Limit, -Remaining and -Reset on every response (draft-ietf-httpapi-ratelimit-headers,
  // version 3, which is what clients know).
  bool fields = false;
};

// Whom a request counts for. An IPv6 client is its /64: nobody is given less. kRoute: everybody.
std::string RateLimitKey(const RateLimitOptions& options, const Request& request);

Middleware RateLimit(RateLimitOptions options);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_RATE_LIMIT_H_
