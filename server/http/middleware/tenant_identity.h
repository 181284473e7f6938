// TenantIdentity: whose request it is: sets request.context.tenant by host, path prefix, field,
// token or the client's certificate.
//
// Rules are tried in order; the first that applies decides. It names its tenant, or the request
// does: by the labels that "*." stands for, the segment behind the prefix, the field's value, or
// what "*" stands for in a name of the certificate.
// Only known tenants are named: those of the config, and those that the gate knows. One that isn't
// gets 403, or 503 while the gate has not been told; one that uses as much as it may gets 429.
// While the request is served its fiber has the tenant's label: what it spawns, fibers and tasks,
// is the tenant's, and so is the time that it runs.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_TENANT_IDENTITY_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_TENANT_IDENTITY_H_

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "server/http/handler/middleware.h"
#include "server/http/handler/tenant_gate.h"
#include "server/http/handler/tenant_labels.h"

namespace grove::http {

struct TenantRule {
  enum class By { kHost, kPathPrefix, kHeader, kToken, kCertificate };
  By by = By::kHost;
  // A host pattern; a path prefix, which ends where a segment does; a field's name; a token's name;
  // a name of the certificate after its kind, such as "URI:spiffe://example.org/tenant/*".
  std::string value;
  // Empty: the request names it; not for kToken, nor for a host or certificate without "*".
  std::string tenant;
};

struct TenantIdentityOptions {
  std::vector<TenantRule> rules;
  std::set<std::string, std::less<>> tenants;
  // 403 where no rule applies; else the tenant stays empty.
  bool required = false;
  // Where the run time of a tenant's requests is counted; must outlive the middleware.
  TenantLabels& labels = NoTenantLabels();
  // Must outlive it, too; null: there are no others, and none is bounded.
  TenantGate* gate = nullptr;
};

// kInvalidArgument: a value that is none, or an empty tenant that nothing could name.
absl::Status CheckTenantRule(const TenantRule& rule);

// The tenant that `rule` finds; nullopt if it doesn't apply. Known or not.
std::optional<std::string_view> FindTenant(const TenantRule& rule, const Request& request);

Middleware TenantIdentity(TenantIdentityOptions options);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_TENANT_IDENTITY_H_
