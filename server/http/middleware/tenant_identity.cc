#include "server/http/middleware/tenant_identity.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "http/message/path.h"
#include "http/message/scan.h"
#include "runtime/hub/label_scope.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/tls/certificate_pattern.h"
#include "server/http/handler/route_pattern.h"

namespace grove::http {
namespace {

std::optional<std::string_view> ByHost(const TenantRule& rule, const Request& request) {
  char buffer[256];
  const std::string_view host = PlainHost(request.host, buffer);
  if (!rule.value.starts_with("*.")) {
    if (host != rule.value) return std::nullopt;
    return rule.tenant;
  }
  const std::string_view suffix = std::string_view(rule.value).substr(1);
  if (host.size() <= suffix.size() || !host.ends_with(suffix)) return std::nullopt;
  if (!rule.tenant.empty()) return rule.tenant;
  // As sent, since `host` lives on this stack. Tenants' names are lower case.
  return request.host.substr(0, host.size() - suffix.size());
}

std::optional<std::string_view> ByPathPrefix(const TenantRule& rule, const Request& request) {
  std::string_view rest = request.context.route_path;
  if (!rest.starts_with(rule.value)) return std::nullopt;
  rest.remove_prefix(rule.value.size());
  if (rule.value.ends_with('/')) {
    if (!rule.tenant.empty()) return rule.tenant;
    return rest.substr(0, rest.find('/'));
  }
  if (!rest.empty() && rest.front() != '/') return std::nullopt;
  if (!rule.tenant.empty()) return rule.tenant;
  if (!rest.empty()) rest.remove_prefix(1);
  return rest.substr(0, rest.find('/'));
}

std::optional<std::string_view> ByHeader(const TenantRule& rule, const Request& request) {
  const auto value = request.Get(rule.value);
  if (!value.has_value() || rule.tenant.empty()) return value;
  return rule.tenant;
}

std::optional<std::string_view> ByCertificate(const TenantRule& rule, const Request& request) {
  if (request.client_certificate == nullptr) return std::nullopt;
  const std::optional<std::string_view> found =
      MatchCertificate(rule.value, *request.client_certificate);
  if (!found.has_value() || rule.tenant.empty()) return found;
  return rule.tenant;
}

absl::Status CheckCertificateRule(const TenantRule& rule) {
  absl::Status status = CheckCertificatePattern(rule.value);
  if (!status.ok()) return status;
  if (!rule.tenant.empty() || rule.value.find('*') != rule.value.npos) return absl::OkStatus();
  return absl::InvalidArgumentError("want the tenant, or a '*' that stands for it");
}

// Of what RFC 9110, 10.2.3 has: whole seconds; rounded up, so that a retry succeeds.
std::string RetryAfter(absl::Duration delay) {
  return StrCat(std::max<int64_t>(1, absl::ToInt64Seconds(absl::Ceil(delay, absl::Seconds(1)))));
}

absl::Status ServeFor(std::string_view tenant, const TenantIdentityOptions& options,
                      Request& request, Response& response, const Handler& next) {
  // One that two of these find the same tenant for has come in already.
  const bool counts = options.gate != nullptr && request.context.tenant != tenant;
  request.context.tenant = tenant;
  const TenantPass pass = counts ? options.gate->Enter(tenant) : TenantPass::Admitted();
  if (!pass.admitted()) {
    response.Add("Retry-After", RetryAfter(pass.retry_in()));
    return response.Send(429, "text/plain", StrCat("Too Many Requests: ", pass.full(), "\r\n"));
  }
  const LabelScope on_its_behalf(options.labels.Of(tenant));
  return next(request, response);
}

absl::Status ServeNamed(std::string_view named, const TenantIdentityOptions& options,
                        Request& request, Response& response, const Handler& next) {
  const auto tenant = options.tenants.find(named);
  if (tenant != options.tenants.end()) {
    return ServeFor(*tenant, options, request, response, next);
  }
  const TenantGate::Known known =
      options.gate == nullptr ? TenantGate::Known::kNo : options.gate->Knows(named);
  if (known == TenantGate::Known::kYes) {
    return ServeFor(request.Keep(std::string(named)), options, request, response, next);
  }
  if (known == TenantGate::Known::kNo) {
    return response.Send(403, "text/plain", "Forbidden: no such tenant\r\n");
  }
  response.Add("Retry-After", "1");
  return response.Send(503, "text/plain", "Service Unavailable: tenants are not known yet\r\n");
}

}  // namespace

absl::Status CheckTenantRule(const TenantRule& rule) {
  switch (rule.by) {
    case TenantRule::By::kHost: {
      absl::StatusOr<std::string> host = ParseHostPattern(rule.value);
      if (!host.ok()) return host.status();
      if (*host != rule.value) return absl::InvalidArgumentError("want the host in lower case");
      if (!rule.tenant.empty() || rule.value.starts_with("*.")) return absl::OkStatus();
      break;
    }
    case TenantRule::By::kPathPrefix: {
      if (!rule.value.starts_with('/')) {
        return absl::InvalidArgumentError("want a path prefix that starts with '/'");
      }
      absl::StatusOr<std::string> path = CanonicalPath(rule.value);
      if (path.ok() && *path == rule.value) return absl::OkStatus();
      return absl::InvalidArgumentError("want a path prefix without escapes and dot segments");
    }
    case TenantRule::By::kHeader:
      if (IsToken(rule.value)) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrFormat("'%s' is no field's name", rule.value));
    case TenantRule::By::kToken:
      if (!rule.tenant.empty()) return absl::OkStatus();
      break;
    case TenantRule::By::kCertificate:
      return CheckCertificateRule(rule);
  }
  return absl::InvalidArgumentError("want the tenant: the request doesn't name one here");
}

std::optional<std::string_view> FindTenant(const TenantRule& rule, const Request& request) {
  switch (rule.by) {
    case TenantRule::By::kHost:
      return ByHost(rule, request);
    case TenantRule::By::kPathPrefix:
      return ByPathPrefix(rule, request);
    case TenantRule::By::kHeader:
      return ByHeader(rule, request);
    case TenantRule::By::kToken:
      if (request.context.token != rule.value) return std::nullopt;
      return rule.tenant;
    case TenantRule::By::kCertificate:
      return ByCertificate(rule, request);
  }
  return std::nullopt;
}

Middleware TenantIdentity(TenantIdentityOptions options) {
  const auto shared = std::make_shared<const TenantIdentityOptions>(std::move(options));
  return [shared](Request& request, Response& response, const Handler& next) {
    for (const TenantRule& rule : shared->rules) {
      const std::optional<std::string_view> named = FindTenant(rule, request);
      if (!named.has_value()) continue;
      return ServeNamed(*named, *shared, request, response, next);
    }
    if (!shared->required) return next(request, response);
    return response.Send(403, "text/plain", "Forbidden: the request names no tenant\r\n");
  };
}

}  // namespace grove::http
