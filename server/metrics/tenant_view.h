// TenantView: the series of one tenant among the daemon's.
#ifndef GROVE_SERVER_METRICS_TENANT_VIEW_H_
#define GROVE_SERVER_METRICS_TENANT_VIEW_H_

#include <string>
#include <string_view>

namespace grove::metrics {

// Of a text of RenderMetrics(), the lines with the label tenant="TENANT", and the HELP and TYPE of
// their families. `tenant` is a short name.
std::string SeriesOfTenant(std::string_view text, std::string_view tenant);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_TENANT_VIEW_H_
