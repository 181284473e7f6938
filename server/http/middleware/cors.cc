#include "server/http/middleware/cors.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "http/message/scan.h"

namespace grove::http {
namespace {

constexpr std::string_view kAny = "*";

// scheme "://" host [ ":" port ] as browsers serialize it: lower case, nothing behind (RFC 6454).
bool IsOriginPattern(std::string_view origin) {
  if (origin == kAny) return true;
  const size_t colon = origin.find("://");
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view host = origin.substr(colon + 3);
  if (host.starts_with("*.")) host.remove_prefix(2);
  return !host.empty() && host.front() != '.' &&
         std::all_of(origin.begin(), origin.end(), [](char c) { return c < 'A' || c > 'Z'; }) &&
         host.find_first_of("/*?#@ ,\"") == std::string_view::npos;
}

bool Matches(std::string_view pattern, std::string_view origin) {
  const size_t star = pattern.find("://*.");
  if (star == std::string_view::npos) return pattern == origin;
  const std::string_view scheme = pattern.substr(0, star + 3);
  const std::string_view suffix = pattern.substr(star + 4);  // ".example.org"
  if (!origin.starts_with(scheme) || !origin.ends_with(suffix)) return false;
  if (origin.size() <= scheme.size() + suffix.size()) return false;
  const std::string_view labels =
      origin.substr(scheme.size(), origin.size() - scheme.size() - suffix.size());
  return labels.find_first_of("/:@") == std::string_view::npos;
}

bool AllowsAny(const CorsOptions& options) {
  return std::find(options.origins.begin(), options.origins.end(), kAny) != options.origins.end();
}

void AddOrigin(const CorsOptions& options, std::string_view origin, Response& response) {
  const bool same_for_all = AllowsAny(options);
  // Also where the answer is no: a cache must not give it to an origin that is allowed.
  if (!same_for_all) response.AddAlways("Vary", "Origin");
  if (origin.empty() || !IsAllowedOrigin(options, origin)) return;
  response.AddAlways("Access-Control-Allow-Origin", same_for_all ? kAny : origin);
  if (options.credentials) response.AddAlways("Access-Control-Allow-Credentials", "true");
}

absl::Status AnswerPreflight(const CorsOptions& options, std::string_view origin,
                             Response& response) {
  AddOrigin(options, origin, response);
  response.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
  if (IsAllowedOrigin(options, origin)) {
    response.Add("Access-Control-Allow-Methods", absl::StrJoin(options.methods, ", "));
    if (!options.request_headers.empty()) {
      response.Add("Access-Control-Allow-Headers", absl::StrJoin(options.request_headers, ", "));
    }
    response.Add("Access-Control-Max-Age", absl::StrCat(absl::ToInt64Seconds(options.max_age)));
  }
  return response.Send(204, "", "");
}

absl::Status CheckTokens(const std::vector<std::string>& tokens, std::string_view what) {
  for (const std::string& token : tokens) {
    if (IsToken(token)) continue;
    return absl::InvalidArgumentError(absl::StrFormat("'%s' is no %s", token, what));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCors(const CorsOptions& options) {
  if (options.origins.empty()) {
    return absl::InvalidArgumentError("want origins, as in https://app.example.org, or *");
  }
  for (const std::string& origin : options.origins) {
    if (IsOriginPattern(origin)) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "'%s' is no origin: want one as in https://app.example.org or https://*.example.org, in "
        "lower case and with nothing behind it, or *",
        origin));
  }
  const bool any_header = std::find(options.request_headers.begin(), options.request_headers.end(),
                                    kAny) != options.request_headers.end();
  if (options.credentials && (AllowsAny(options) || any_header)) {
    return absl::InvalidArgumentError(
        "credentials and * exclude each other: every page on the web could act as the user; list "
        "the origins and headers");
  }
  if (absl::Status s = CheckTokens(options.methods, "method"); !s.ok()) return s;
  if (absl::Status s = CheckTokens(options.request_headers, "header"); !s.ok()) return s;
  return CheckTokens(options.response_headers, "header");
}

bool IsAllowedOrigin(const CorsOptions& options, std::string_view origin) {
  return std::any_of(
      options.origins.begin(), options.origins.end(),
      [origin](const std::string& pattern) { return pattern == kAny || Matches(pattern, origin); });
}

Middleware Cors(CorsOptions options) {
  const auto shared = std::make_shared<const CorsOptions>(std::move(options));
  return [shared](Request& request, Response& response, const Handler& next) {
    const std::string_view origin = request.Get("origin").value_or("");
    if (request.method == "OPTIONS" && !origin.empty() &&
        request.Get("access-control-request-method").has_value()) {
      return AnswerPreflight(*shared, origin, response);
    }
    AddOrigin(*shared, origin, response);
    if (!origin.empty() && !shared->response_headers.empty() && IsAllowedOrigin(*shared, origin)) {
      response.AddAlways("Access-Control-Expose-Headers",
                         absl::StrJoin(shared->response_headers, ", "));
    }
    return next(request, response);
  };
}

}  // namespace grove::http
