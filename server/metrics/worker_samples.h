// What each worker does: its hub, its fibers, what it calls.
#ifndef GROVE_SERVER_METRICS_WORKER_SAMPLES_H_
#define GROVE_SERVER_METRICS_WORKER_SAMPLES_H_

#include "server/metrics/families.h"
#include "server/metrics/prometheus.h"

namespace grove::metrics {

void AddWorkers(const MetricsInput& input, MetricFamilies& families);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_WORKER_SAMPLES_H_
