// TenantCalls: what TenantService does with tenants.
//
// What is made here is in the registry, in the directory and in the engine; what the config names
// is in the last two alone, and not changed. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_TENANT_CALLS_H_
#define GROVE_SERVER_CONTROL_TENANT_CALLS_H_

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/tenant_service.pb.h"
#include "server/control/engine_driver.h"
#include "server/control/live_registry.h"
#include "server/control/tenant_drain.h"
#include "server/tenancy/directory.h"
#include "server/tenancy/principal.h"
#include "server/tenancy/registry.h"

namespace grove::control {

inline constexpr double kWeightMin = 0.01;
inline constexpr double kWeightMax = 1000;
inline constexpr size_t kDisplayNameBytesMax = 200;
inline constexpr int kLabelsMax = 32;
inline constexpr size_t kLabelBytesMax = 200;

// Adds the registry's tenants to the directory, and all limits, before anything sizes itself by it:
// all but those that the config names.
void AdoptTenants(const tenancy::Registry& registry, tenancy::Directory& directory);

// The tenant of that name, where there is one and it is the caller's to see; else NOT_FOUND.
absl::StatusOr<size_t> FindSeen(const tenancy::Directory& directory, const tenancy::Principal& who,
                                std::string_view tenant);

class TenantCalls {
 public:
  // All outlive it.
  TenantCalls(Hub& hub, tenancy::Directory& directory, EngineDriver& driver,
              metrics::Scoreboard& scoreboard, LiveRegistry& registry, TenantDrain& drain);

  // Called for each that comes to be or has other quotas.
  void set_on_changed(std::function<void(size_t tenant)> on_changed) {
    on_changed_ = std::move(on_changed);
  }

  absl::StatusOr<v1::GetTenantResponse> Get(const tenancy::Principal& who,
                                            const v1::GetTenantRequest& request) const;
  absl::StatusOr<v1::ListTenantsResponse> List(const tenancy::Principal& who,
                                               const v1::ListTenantsRequest& request) const;
  // These **park.**
  absl::StatusOr<v1::CreateTenantResponse> Create(const tenancy::Principal& who,
                                                  const v1::CreateTenantRequest& request);
  absl::StatusOr<v1::UpdateTenantResponse> Update(const tenancy::Principal& who,
                                                  const v1::UpdateTenantRequest& request);
  absl::StatusOr<v1::DeleteTenantResponse> Delete(const tenancy::Principal& who,
                                                  const v1::DeleteTenantRequest& request);

 private:
  // Of an index in the directory.
  v1::Tenant View(size_t tenant) const;
  // To be changed: not the config's, and `etag` is its own or empty.
  absl::StatusOr<size_t> FindChangeable(const tenancy::Principal& who, const std::string& name,
                                        std::string_view etag) const;
  // The names after `after`, in order, as many as `max`.
  std::vector<std::string> NamesAfter(const std::string& after, size_t max) const;
  absl::Status BeginDrain(size_t tenant);

  Hub& hub_;
  tenancy::Directory& directory_;
  EngineDriver& driver_;
  metrics::Scoreboard& scoreboard_;
  LiveRegistry& registry_;
  TenantDrain& drain_;
  // Of tenants that have, or had, quotas of HTTP; takes in what workers have claimed.
  mutable metrics::SeriesIndex bound_names_;
  std::function<void(size_t tenant)> on_changed_ = [](size_t) {};
  std::vector<std::string> from_config_;  // in order
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TENANT_CALLS_H_
