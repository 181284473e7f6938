// What tasks do: by tenant and function, in queues and pools; and how control's callers fare.
#ifndef GROVE_SERVER_METRICS_TASK_SAMPLES_H_
#define GROVE_SERVER_METRICS_TASK_SAMPLES_H_

#include "server/metrics/families.h"
#include "server/metrics/prometheus.h"

namespace grove::metrics {

// Returns how many tenants, functions, queues and pools are shown as "_other".
size_t AddTasks(const MetricsInput& input, MetricFamilies& families);
void AddCalls(const MetricsInput& input, MetricFamilies& families);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_TASK_SAMPLES_H_
