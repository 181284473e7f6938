// OwnCells: where a worker counts the application's metrics: its part of the scoreboard.
//
// Made in the worker's process. Any thread.
#ifndef GROVE_SERVER_METRICS_OWN_CELLS_H_
#define GROVE_SERVER_METRICS_OWN_CELLS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/series.h"
#include "server/own_metrics.h"

namespace grove::metrics {

class OwnCells final : public MetricCells {
 public:
  // Both must outlive it. Requires: DeclareOwnMetrics(), in whoever has forked this process.
  OwnCells(Scoreboard& scoreboard, int worker, const OwnMetrics& metrics);

  MetricCell* Find(size_t metric, const std::vector<std::string>& values) override;
  MetricCell* Other(size_t metric) override;

 private:
  struct Metric {
    OwnMetricKind kind = OwnMetricKind::kCounter;
    size_t labels = 0;
    size_t series_max = 0;
    std::string prefix;  // of its keys; empty: the table had no room
    bool full = false;   // which it stays
  };

  SeriesIndex& IndexOf(OwnMetricKind kind) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  SeriesDirectory DirectoryOf(OwnMetricKind kind);
  MetricCell* CellsOf(OwnMetricKind kind, uint32_t number);
  // Series that the metric has, by whatever worker.
  size_t CountOf(const Metric& metric);
  bool IsFull(Metric& metric) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  OwnSeriesNames& names_;
  OwnSeriesCells& cells_;
  absl::Mutex mutex_;
  std::vector<Metric> metrics_;  // `full` under the mutex, the rest constant
  SeriesIndex counters_ ABSL_GUARDED_BY(mutex_);
  SeriesIndex gauges_ ABSL_GUARDED_BY(mutex_);
  SeriesIndex histograms_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_OWN_CELLS_H_
