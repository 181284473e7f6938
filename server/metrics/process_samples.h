// What the daemon's processes take of the machine, and how much of it there is.
#ifndef GROVE_SERVER_METRICS_PROCESS_SAMPLES_H_
#define GROVE_SERVER_METRICS_PROCESS_SAMPLES_H_

#include "server/metrics/families.h"
#include "server/metrics/prometheus.h"

namespace grove::metrics {

void AddProcesses(const MetricsInput& input, MetricFamilies& families);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_PROCESS_SAMPLES_H_
