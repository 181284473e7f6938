#include "server/http/middleware/tenant_identity.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/label_scope.h"
#include "server/http/handler/route_pattern.h"
#include "server/http/message/path.h"
#include "server/http/message/scan.h"

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

// The kinds of names, as TlsCertificate has them and two more.
constexpr std::string_view kCommonName = "CN:";
constexpr std::string_view kDnsName = "DNS:";
constexpr std::string_view kFingerprint = "SHA256:";
constexpr std::string_view kNameKinds[] = {kCommonName, kDnsName, "URI:", "email:", kFingerprint};
constexpr size_t kFingerprintDigits = 64;

bool SameText(std::string_view a, std::string_view b, bool ignore_case) {
  return ignore_case ? EqualsIgnoreCase(a, b) : a == b;
}

// What `pattern`'s '*' stands for in `name`, or all of it where there is none.
std::optional<std::string_view> MatchName(std::string_view pattern, std::string_view name) {
  const bool ignore_case = pattern.starts_with(kDnsName);
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    if (!SameText(pattern, name, ignore_case)) return std::nullopt;
    return name;
  }
  const std::string_view before = pattern.substr(0, star);
  const std::string_view after = pattern.substr(star + 1);
  // It stands for one character at least: an empty one names nobody.
  if (name.size() <= before.size() + after.size()) return std::nullopt;
  if (!SameText(before, name.substr(0, before.size()), ignore_case) ||
      !SameText(after, name.substr(name.size() - after.size()), ignore_case)) {
    return std::nullopt;
  }
  return name.substr(before.size(), name.size() - before.size() - after.size());
}

std::optional<std::string_view> ByCertificate(const TenantRule& rule, const Request& request) {
  if (request.client_certificate == nullptr) return std::nullopt;
  const TlsCertificate& certificate = *request.client_certificate;
  const std::string_view pattern = rule.value;
  std::optional<std::string_view> found;
  if (pattern.starts_with(kCommonName)) {
    found = MatchName(pattern.substr(kCommonName.size()), certificate.common_name);
  } else if (pattern.starts_with(kFingerprint)) {
    found = MatchName(pattern.substr(kFingerprint.size()), certificate.fingerprint);
  } else {
    for (size_t i = 0; i < certificate.names.size() && !found.has_value(); ++i) {
      found = MatchName(pattern, certificate.names[i]);
    }
  }
  if (!found.has_value() || rule.tenant.empty()) return found;
  return rule.tenant;
}

absl::Status CheckCertificateRule(const TenantRule& rule) {
  const std::string_view value = rule.value;
  const auto* kind = std::find_if(std::begin(kNameKinds), std::end(kNameKinds),
                                  [&](std::string_view each) { return value.starts_with(each); });
  if (kind == std::end(kNameKinds) || value.size() == kind->size()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("'%s': want a name after CN:, DNS:, URI:, email: or SHA256:", rule.value));
  }
  const size_t stars = std::count(value.begin(), value.end(), '*');
  const std::string_view digits = value.substr(kind->size());
  if (*kind == kFingerprint &&
      (digits.size() != kFingerprintDigits ||
       digits.find_first_not_of("0123456789abcdef") != std::string_view::npos)) {
    return absl::InvalidArgumentError("want 64 lower-case hexadecimal digits after SHA256:");
  }
  if (stars > 1) return absl::InvalidArgumentError("want one '*' at most");
  if (stars == 1 || !rule.tenant.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("want the tenant, or a '*' that stands for it");
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
      const auto tenant = shared->tenants.find(*named);
      if (tenant == shared->tenants.end()) {
        return response.Send(403, "text/plain", "Forbidden: no such tenant\r\n");
      }
      request.context.tenant = *tenant;
      const LabelScope on_its_behalf(shared->labels.Of(*tenant));
      return next(request, response);
    }
    if (!shared->required) return next(request, response);
    return response.Send(403, "text/plain", "Forbidden: the request names no tenant\r\n");
  };
}

}  // namespace grove::http
