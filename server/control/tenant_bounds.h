// TenantBounds: what workers have to know of tenants, as control tells them over their links.
//
// Those that the config does not name, and those with quotas that workers hold. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_TENANT_BOUNDS_H_
#define GROVE_SERVER_CONTROL_TENANT_BOUNDS_H_

#include <cstddef>
#include <string>

#include "grove/internal/v1/link.pb.h"
#include "grove/v1/tenant_service.pb.h"
#include "runtime/hub/clock.h"
#include "server/metrics/scoreboard.h"
#include "server/tasks/counters.h"
#include "server/tenancy/directory.h"

namespace grove::control {

// All of them: the first frame of a link.
internal::v1::ControlFrame AllBounds(const tenancy::Directory& directory);
// `tenant` has come to be, or has other quotas.
internal::v1::ControlFrame BoundsOf(const tenancy::Directory& directory, size_t tenant);
internal::v1::ControlFrame BoundsOfGone(const std::string& tenant);

// What all workers use of these quotas, for metrics.
void CountHttpQuotas(const tenancy::Directory& directory, metrics::Scoreboard& scoreboard,
                     tasks::TaskCounters& counters);

// What `workers` use of them, at a time of CLOCK_MONOTONIC: of the tenant whose `cells` these are.
void FillHttpUse(const tenancy::HttpQuotas& quotas, MonotonicNanos now, int workers,
                 const metrics::TenantCells& cells, v1::Tenant& view);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TENANT_BOUNDS_H_
