// AddOwn: the samples of the application's metrics (own_series.h).
#ifndef GROVE_SERVER_METRICS_OWN_SAMPLES_H_
#define GROVE_SERVER_METRICS_OWN_SAMPLES_H_

#include <vector>

#include "server/metrics/families.h"
#include "server/metrics/own_series.h"
#include "server/metrics/scoreboard.h"

namespace grove::metrics {

// `metrics` (ReadOwnMetrics()) must outlive `families`.
void AddOwn(Scoreboard& board, const std::vector<OwnMetric>& metrics, MetricFamilies& families);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_OWN_SAMPLES_H_
