#include "server/http/middleware/rate_limit.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/io/ip_address.h"

namespace grove::http {
namespace {

// A header's value may be as long as a field line; a key need not.
constexpr size_t kKeyBytesMax = 256;

struct State {
  RateLimitOptions options;
  TokenBuckets buckets;
};

// Delays are told in whole seconds (RFC 9110, 10.2.3); rounded up, so that a retry succeeds.
int64_t CeilSeconds(absl::Duration duration) {
  return absl::ToInt64Seconds(absl::Ceil(duration, absl::Seconds(1)));
}

std::string ClientKey(std::string_view client) {
  const std::optional<IpAddress> address = IpAddress::Parse(client);
  if (!address.has_value() || address->family() == AF_INET) return std::string(client);
  const IpAddress unmapped = address->Unmapped();
  if (unmapped.family() == AF_INET) return unmapped.ToString();
  return std::string(unmapped.bytes().begin(), unmapped.bytes().begin() + 8);
}

}  // namespace

std::string RateLimitKey(const RateLimitOptions& options, const Request& request) {
  switch (options.key) {
    case RateLimitOptions::Key::kClient:
      return ClientKey(request.context.client);
    case RateLimitOptions::Key::kTenant:
      return std::string(request.context.tenant);
    case RateLimitOptions::Key::kToken:
      return std::string(request.context.token);
    case RateLimitOptions::Key::kHeader:
      return std::string(request.Get(options.header).value_or("").substr(0, kKeyBytesMax));
    case RateLimitOptions::Key::kRoute:
      return {};
  }
  return {};
}

Middleware RateLimit(RateLimitOptions options) {
  TokenBuckets buckets(options.buckets);
  const auto state = std::make_shared<State>(State{std::move(options), std::move(buckets)});
  return [state](Request& request, Response& response, const Handler& next) {
    const RateLimitOptions& options = state->options;
    const TokenBuckets::Decision decision =
        state->buckets.Take(RateLimitKey(options, request), Hub::Current()->now());
    if (options.fields) {
      response.AddAlways("RateLimit-Limit", absl::StrCat(options.buckets.burst));
      response.AddAlways("RateLimit-Remaining", absl::StrCat(decision.remaining));
      response.AddAlways("RateLimit-Reset", absl::StrCat(CeilSeconds(decision.full_in)));
    }
    if (decision.admitted) return next(request, response);
    response.Add("Retry-After", absl::StrCat(CeilSeconds(decision.retry_in)));
    return response.Send(429, "text/plain", "Too Many Requests\r\n");
  };
}

}  // namespace grove::http
