#include "server/control/tenant_bounds.h"

#include <optional>
#include <string_view>

#include "server/tenancy/gcra.h"

namespace grove::control {
namespace {

using internal::v1::ControlFrame;
using tenancy::Directory;

void Add(const Directory& directory, size_t index, ControlFrame& frame) {
  const tenancy::HttpQuotas& http = directory.QuotasOf(index).http;
  internal::v1::TenantBounds& bounds = *frame.add_bounds();
  bounds.set_tenant(directory.tenants()[index].name);
  bounds.set_http_requests_max(http.requests_max);
  bounds.set_http_requests_per_second(http.per_second);
  bounds.set_http_requests_per_minute(http.per_minute);
  bounds.set_http_burst(http.burst);
  bounds.set_fetches_max(http.fetches_max);
}

}  // namespace

ControlFrame AllBounds(const Directory& directory) {
  ControlFrame frame;
  for (size_t i = 0; i < directory.tenants().size(); ++i) {
    const Directory::Tenant& tenant = directory.tenants()[i];
    if (tenant.is_retired()) continue;
    const bool is_bound = directory.QuotasOf(i).http != tenancy::HttpQuotas{};
    if (!tenant.from_config || is_bound) Add(directory, i, frame);
  }
  return frame;
}

ControlFrame BoundsOf(const Directory& directory, size_t tenant) {
  ControlFrame frame;
  Add(directory, tenant, frame);
  return frame;
}

ControlFrame BoundsOfGone(const std::string& tenant) {
  ControlFrame frame;
  internal::v1::TenantBounds& bounds = *frame.add_bounds();
  bounds.set_tenant(tenant);
  bounds.set_gone(true);
  return frame;
}

// Those beyond the scoreboard's places are held by each worker alone, and not shown.
void CountHttpQuotas(const Directory& directory, metrics::Scoreboard& scoreboard,
                     tasks::TaskCounters& counters) {
  const metrics::SeriesDirectory names = scoreboard.series().bound_tenants.directory();
  for (uint32_t number = 1; number <= names.claimed(); ++number) {
    const std::string tenant(names.key(number));
    const std::optional<size_t> index =
        tenant.empty() ? std::nullopt : directory.FindTenant(tenant);
    if (!index) continue;
    const tenancy::HttpQuotas& http = directory.QuotasOf(*index).http;
    const metrics::TenantCells& cells = scoreboard.series().bound_cells.of[number];
    const auto add = [&](std::string_view quota, const metrics::WorkerCounts& used, int64_t max) {
      if (max == 0) return;
      counters.quotas.push_back({tenant, quota, used.Sum(scoreboard.workers()), max});
    };
    add("http_requests", cells.requests, http.requests_max);
    add("fetches", cells.fetches, http.fetches_max);
  }
}

void FillHttpUse(const tenancy::HttpQuotas& quotas, MonotonicNanos now, int workers,
                 const metrics::TenantCells& cells, v1::Tenant& view) {
  const tenancy::Rate rate = tenancy::RateOf(quotas.per_second, quotas.per_minute, quotas.burst);
  const tenancy::Gcra bucket(cells.http_full_at_ns.load(std::memory_order_relaxed));
  view.set_http_requests_running(cells.requests.Sum(workers));
  view.set_http_burst_used(bucket.Used(rate, now));
  view.set_http_requests_refused(static_cast<int64_t>(cells.refused_requests.load()));
  view.set_http_rate_refused(static_cast<int64_t>(cells.refused_rate.load()));
  view.set_fetches_running(cells.fetches.Sum(workers));
}

}  // namespace grove::control
