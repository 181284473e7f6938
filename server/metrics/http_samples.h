// What requests came to, of all workers together: by code, by method, by route.
#ifndef GROVE_SERVER_METRICS_HTTP_SAMPLES_H_
#define GROVE_SERVER_METRICS_HTTP_SAMPLES_H_

#include "server/metrics/families.h"
#include "server/metrics/prometheus.h"

namespace grove::metrics {

// Returns how many routes are shown as "_other".
size_t AddHttp(const MetricsInput& input, MetricFamilies& families);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_HTTP_SAMPLES_H_
