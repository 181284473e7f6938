#include "server/control/watch_limits.h"

#include "absl/strings/str_cat.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

absl::Status TooMany(const std::string& text) {
  return tasks::WithRetryAfter(
      tasks::Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_WATCHES", text), 1000);
}

}  // namespace

absl::Status WatchLimits::Enter(const std::string& tenant) {
  const auto own = by_tenant_.find(tenant);
  if (!tenant.empty() && own != by_tenant_.end() && own->second >= kTenantWatchesMax) {
    return TooMany(absl::StrCat("the tenant has ", kTenantWatchesMax, " watches open"));
  }
  // How many others have, a tenant is not told.
  if (open_ >= kWatchesMax || (!tenant.empty() && open_of_tenants_ >= kTenantsWatchesMax)) {
    return TooMany("as many watches are open as may be");
  }
  ++open_;
  if (tenant.empty()) return absl::OkStatus();
  ++open_of_tenants_;
  ++by_tenant_[tenant];
  return absl::OkStatus();
}

void WatchLimits::Leave(const std::string& tenant) {
  --open_;
  if (tenant.empty()) return;
  --open_of_tenants_;
  const auto own = by_tenant_.find(tenant);
  if (--own->second == 0) by_tenant_.erase(own);
}

}  // namespace grove::control
