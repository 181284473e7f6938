#include "server/worker/middleware_chain.h"

#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"
#include "server/http/middleware/bearer_auth.h"
#include "server/http/middleware/body_limit.h"
#include "server/http/middleware/cors.h"
#include "server/http/middleware/gzip.h"
#include "server/http/middleware/rate_limit.h"
#include "server/http/middleware/real_client.h"
#include "server/http/middleware/request_id.h"
#include "server/http/middleware/tenant_identity.h"
#include "server/http/middleware/time_limit.h"

namespace grove::worker {
namespace {

using config::v1::Config;
using Made = absl::StatusOr<http::Middleware>;

absl::Status Wrong(const std::string& where, std::string_view what) {
  return absl::InvalidArgumentError(StrCat(where, ": ", what));
}

template <typename List>
std::vector<std::string> Texts(const List& list) {
  return {list.begin(), list.end()};
}

absl::StatusOr<http::TrustedAddresses> Trusted(
    const std::string& where, const google::protobuf::RepeatedPtrField<std::string>& ranges) {
  absl::StatusOr<http::TrustedAddresses> trusted = http::TrustedAddresses::Parse(Texts(ranges));
  if (!trusted.ok()) return Wrong(where, Std(trusted.status().message()));
  return trusted;
}

Made MakeRequestId(const std::string& where, const config::v1::RequestId& config) {
  absl::StatusOr<http::TrustedAddresses> trusted = Trusted(where + ".trusted", config.trusted());
  if (!trusted.ok()) return trusted.status();
  return http::RequestId(*std::move(trusted));
}

absl::StatusOr<http::RealClientOptions> RealClientOptionsOf(const std::string& where,
                                                            const config::v1::RealClient& config) {
  if (config.trusted().empty()) {
    return Wrong(where + ".trusted", "want the addresses of your proxies, as in 10.0.0.0/8");
  }
  absl::StatusOr<http::TrustedAddresses> trusted = Trusted(where + ".trusted", config.trusted());
  if (!trusted.ok()) return trusted.status();
  using Source = http::RealClientOptions::Source;
  const bool forwarded = config.source() == config::v1::RealClient::SOURCE_FORWARDED;
  return http::RealClientOptions{.source = forwarded ? Source::kForwarded : Source::kXForwardedFor,
                                 .trusted = *std::move(trusted)};
}

Made MakeRealClient(const std::string& where, const config::v1::RealClient& config) {
  absl::StatusOr<http::RealClientOptions> options = RealClientOptionsOf(where, config);
  if (!options.ok()) return options.status();
  return http::RealClient(*std::move(options));
}

http::RateLimitOptions::Key KeyOf(config::v1::RateLimit::Key key) {
  switch (key) {
    case config::v1::RateLimit::KEY_TENANT:
      return http::RateLimitOptions::Key::kTenant;
    case config::v1::RateLimit::KEY_TOKEN:
      return http::RateLimitOptions::Key::kToken;
    case config::v1::RateLimit::KEY_HEADER:
      return http::RateLimitOptions::Key::kHeader;
    case config::v1::RateLimit::KEY_ROUTE:
      return http::RateLimitOptions::Key::kRoute;
    default:
      return http::RateLimitOptions::Key::kClient;
  }
}

Made MakeRateLimit(const std::string& where, const config::v1::RateLimit& config) {
  const int64_t per_second = config.requests_per_second();
  const int64_t per_minute = config.requests_per_minute();
  if (per_second == 0 && per_minute == 0) {
    return Wrong(where + ".requests_per_second", "must be > 0, unless requests_per_minute is");
  }
  if (per_second != 0 && per_minute != 0) {
    return Wrong(where + ".requests_per_minute", "excludes requests_per_second");
  }
  http::RateLimitOptions options;
  options.buckets.interval =
      per_second != 0 ? absl::Seconds(1) / per_second : absl::Minutes(1) / per_minute;
  options.buckets.burst = config.burst() != 0 ? config.burst() : per_second + per_minute;
  options.buckets.keys_max = static_cast<size_t>(config.keys_max());
  options.key = KeyOf(config.key());
  options.header = config.header();
  options.fields = config.fields();
  const bool by_header = options.key == http::RateLimitOptions::Key::kHeader;
  if (by_header != http::IsToken(options.header)) {
    return Wrong(where + ".header", by_header ? "want the field's name, as in X-Api-Key"
                                              : "goes with `key: header` alone");
  }
  return http::RateLimit(std::move(options));
}

// Keeps the middleware's own defaults where the config has none.
void Assign(const google::protobuf::RepeatedPtrField<std::string>& texts,
            std::vector<std::string>& out) {
  if (!texts.empty()) out = Texts(texts);
}

Made MakeCors(const std::string& where, const config::v1::Cors& config) {
  http::CorsOptions options;
  options.origins = Texts(config.origins());
  Assign(config.methods(), options.methods);
  options.request_headers = Texts(config.request_headers());
  options.response_headers = Texts(config.response_headers());
  options.credentials = config.credentials();
  options.max_age = absl::Seconds(config.max_age_s());
  if (absl::Status s = http::CheckCors(options); !s.ok()) return Wrong(where, Std(s.message()));
  return http::Cors(std::move(options));
}

Made MakeGzip(const std::string& where, const config::v1::Gzip& config) {
  http::GzipOptions options;
  options.bytes_min = static_cast<size_t>(config.bytes_min());
  options.level = config.level();
  Assign(config.types(), options.types);
  for (size_t i = 0; i < options.types.size(); ++i) {
    if (std::string_view(options.types[i]).find('/') != std::string_view::npos) continue;
    return Wrong(
        StrCat(where, ".types[", i, "]"),
        StrCat("'", options.types[i], "' is no content type: want one as in text/html or text/*"));
  }
  return http::Gzip(std::move(options));
}

Made MakeBearerAuth(const std::string& where, const config::v1::BearerAuth& config) {
  if (config.tokens().empty()) return Wrong(where + ".tokens", "want a token");
  const std::string realm = config.realm().empty() ? "grove" : config.realm();
  if (realm.find_first_of("\"\\") != std::string::npos) {
    return Wrong(where + ".realm", "want a text without \" and \\");
  }
  http::BearerTokens tokens;
  std::set<std::string> names;
  for (int i = 0; i < config.tokens_size(); ++i) {
    const config::v1::HttpToken& token = config.tokens(i);
    const std::string key = StrCat(where, ".tokens[", i, "]");
    if (token.name().empty() || !names.insert(token.name()).second) {
      return Wrong(key + ".name", token.name().empty() ? "want a name" : "stands twice");
    }
    const absl::StatusOr<std::string> secret = config::ReadSecretFile(token.secret_file());
    if (!secret.ok()) return Wrong(key + ".secret_file", Std(secret.status().message()));
    if (tokens.Find(*secret) != nullptr) {
      return Wrong(key + ".secret_file", "another token has the same secret");
    }
    tokens.Add(token.name(), *secret);
  }
  return http::BearerAuth(std::move(tokens), realm);
}

absl::StatusOr<http::TenantRule> MakeTenantRule(const config::v1::TenantRule& config) {
  using By = http::TenantRule::By;
  using Rule = config::v1::TenantRule;
  switch (config.by_case()) {
    case Rule::kHost:
      return http::TenantRule{By::kHost, config.host(), config.tenant()};
    case Rule::kPathPrefix:
      return http::TenantRule{By::kPathPrefix, config.path_prefix(), config.tenant()};
    case Rule::kHeader:
      return http::TenantRule{By::kHeader, config.header(), config.tenant()};
    case Rule::kToken:
      return http::TenantRule{By::kToken, config.token(), config.tenant()};
    case Rule::kCertificate:
      return http::TenantRule{By::kCertificate, config.certificate(), config.tenant()};
    default:
      return absl::InvalidArgumentError("want host, path_prefix, header, token or certificate");
  }
}

Made MakeTenantIdentity(const std::string& where, const config::v1::TenantIdentity& config,
                        const Config& whole, http::TenantLabels& labels, http::TenantGate* gate) {
  if (config.rules().empty()) return Wrong(where + ".rules", "want a rule");
  http::TenantIdentityOptions options{.labels = labels, .gate = gate};
  options.required = config.required();
  for (const config::v1::Tenant& tenant : whole.tenants()) options.tenants.insert(tenant.name());
  for (int i = 0; i < config.rules_size(); ++i) {
    const std::string key = StrCat(where, ".rules[", i, "]");
    absl::StatusOr<http::TenantRule> rule = MakeTenantRule(config.rules(i));
    absl::Status status = rule.ok() ? http::CheckTenantRule(*rule) : rule.status();
    if (!status.ok()) return Wrong(key, Std(status.message()));
    if (!rule->tenant.empty() && options.tenants.count(rule->tenant) == 0) {
      return Wrong(key + ".tenant",
                   StrCat("'", rule->tenant, "' is none of `tenants`; add it there"));
    }
    options.rules.push_back(*std::move(rule));
  }
  return http::TenantIdentity(std::move(options));
}

using Entries = google::protobuf::RepeatedPtrField<config::v1::Middleware>;

void AppendRealClients(const Entries& entries, std::vector<http::RealClientOptions>& all) {
  for (const config::v1::Middleware& entry : entries) {
    if (!entry.has_real_client()) continue;
    absl::StatusOr<http::RealClientOptions> options = RealClientOptionsOf("", entry.real_client());
    if (options.ok()) all.push_back(*std::move(options));
  }
}

}  // namespace

std::function<std::string(const http::Request&)> ForwardedSchemeOf(const config::v1::Http& http) {
  std::vector<http::RealClientOptions> all;
  AppendRealClients(http.middleware(), all);
  for (const config::v1::Route& route : http.routes()) AppendRealClients(route.middleware(), all);
  if (all.empty()) return {};
  return [all = std::move(all)](const http::Request& request) {
    std::string scheme;
    for (const http::RealClientOptions& options : all) {
      if (scheme.empty()) scheme = http::ResolveClient(options, request).scheme;
    }
    return scheme;
  };
}

Made MakeMiddleware(const std::string& where, const config::v1::Middleware& entry,
                    const Config& config, http::TenantLabels& labels, http::TenantGate* gate) {
  using config::v1::Middleware;
  switch (entry.kind_case()) {
    case Middleware::kRequestId:
      return MakeRequestId(where + ".request_id", entry.request_id());
    case Middleware::kRealClient:
      return MakeRealClient(where + ".real_client", entry.real_client());
    case Middleware::kRateLimit:
      return MakeRateLimit(where + ".rate_limit", entry.rate_limit());
    case Middleware::kBodyLimit:
      return http::BodyLimit(static_cast<uint64_t>(entry.body_limit().bytes_max()));
    case Middleware::kTimeLimit:
      return http::TimeLimit(absl::Milliseconds(entry.time_limit().timeout_ms()),
                             entry.time_limit().status());
    case Middleware::kCors:
      return MakeCors(where + ".cors", entry.cors());
    case Middleware::kGzip:
      return MakeGzip(where + ".gzip", entry.gzip());
    case Middleware::kBearerAuth:
      return MakeBearerAuth(where + ".bearer_auth", entry.bearer_auth());
    case Middleware::kTenant:
      return MakeTenantIdentity(where + ".tenant", entry.tenant(), config, labels, gate);
    case Middleware::kOwn:  // the application makes it
    case Middleware::KIND_NOT_SET:
      break;
  }
  return Wrong(where,
               "want one of request_id, real_client, rate_limit, body_limit, time_limit, cors, "
               "gzip, bearer_auth, tenant, own");
}

}  // namespace grove::worker
