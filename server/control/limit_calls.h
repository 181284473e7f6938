// LimitCalls: what TenantService does with limits.
//
// Those that are set here are in the registry and in the directory; those that the config names are
// in the latter alone, and not changed. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_LIMIT_CALLS_H_
#define GROVE_SERVER_CONTROL_LIMIT_CALLS_H_

#include <string>

#include "absl/status/statusor.h"
#include "grove/v1/tenant_service.pb.h"
#include "server/control/engine_driver.h"
#include "server/control/live_registry.h"
#include "server/tenancy/directory.h"
#include "server/tenancy/principal.h"
#include "server/tenancy/registry.h"

namespace grove::control {

// Those of the registry, but for patterns that the config names and tenants that are not there.
void AdoptLimits(const tenancy::Registry& registry, tenancy::Directory& directory);

class LimitCalls {
 public:
  // All outlive it.
  LimitCalls(tenancy::Directory& directory, EngineDriver& driver, LiveRegistry& registry)
      : directory_(directory), driver_(driver), registry_(registry) {}

  absl::StatusOr<v1::ListLimitsResponse> List(const tenancy::Principal& who,
                                              const v1::ListLimitsRequest& request) const;
  // These **park.**
  absl::StatusOr<v1::SetLimitResponse> Set(const tenancy::Principal& who,
                                           const v1::SetLimitRequest& request);
  absl::StatusOr<v1::DeleteLimitResponse> Delete(const tenancy::Principal& who,
                                                 const v1::DeleteLimitRequest& request);

 private:
  absl::StatusOr<size_t> TenantOf(const tenancy::Principal& who, const std::string& parent) const;
  // FAILED_PRECONDITION: the config names it.
  absl::Status CheckChangeable(size_t tenant, const std::string& pattern) const;
  v1::Limit View(size_t tenant, const tenancy::Limit& limit) const;

  tenancy::Directory& directory_;
  EngineDriver& driver_;
  LiveRegistry& registry_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_LIMIT_CALLS_H_
