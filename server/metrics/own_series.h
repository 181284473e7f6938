// Own series: the metrics of the application in shared memory.
//
// Which there are stands in a table that only grows, so that a worker of a program that has been
// replaced goes on counting in its own places; only what the program of now has declared is shown.
// Series stand in three directories by kind, since gauges of the dead count for nothing and
// histograms need more cells. A key is the metric's number in the table and the values of its
// labels, with bytes 0x1f between them. The supervisor writes the table, before it forks.
#ifndef GROVE_SERVER_METRICS_OWN_SERIES_H_
#define GROVE_SERVER_METRICS_OWN_SERIES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/metrics/series.h"
#include "server/own_metrics.h"

namespace grove::metrics {

// Those of several programs, one after the other.
inline constexpr size_t kOwnTableMax = 1024;
inline constexpr size_t kOwnCounterSeriesMax = 4096;
inline constexpr size_t kOwnGaugeSeriesMax = 2048;
inline constexpr size_t kOwnHistogramSeriesMax = 1024;
inline constexpr size_t kOwnDeclarationBytesMax = 1016;

struct OwnMetricEntry {
  std::atomic<uint32_t> bytes;  // 0: none
  std::atomic<uint32_t> shown;
  char text[kOwnDeclarationBytesMax];
};

struct OwnSeriesNames {
  alignas(4096) std::array<OwnMetricEntry, kOwnTableMax> table;
  SeriesNames<kOwnCounterSeriesMax> counters;
  SeriesNames<kOwnGaugeSeriesMax> gauges;
  SeriesNames<kOwnHistogramSeriesMax> histograms;
};

struct OwnSeriesCells {
  SeriesCells<kOwnCounterSeriesMax, 1> counters;
  SeriesCells<kOwnGaugeSeriesMax, 1> gauges;
  SeriesCells<kOwnHistogramSeriesMax, kOwnCellsMax> histograms;
};

// What stands in the table, and what is made of it again. Text is what lines hold:
// kind, name, help, labels, buckets, `largest`.
std::string EncodeOwnMetric(OwnMetricKind kind, const MetricOptions& options);
struct OwnMetric {
  uint32_t number = 0;
  OwnMetricKind kind = OwnMetricKind::kCounter;
  MetricOptions options;
};
// Those that are shown, by name.
std::vector<OwnMetric> ReadOwnMetrics(const OwnSeriesNames& names);

// Puts `metrics` into the table and shows them alone. False: there is no room for all.
bool DeclareOwnMetrics(const OwnMetrics& metrics, OwnSeriesNames& names);
// The metric's number in the table; kOwnTableMax: it is not there.
uint32_t FindOwnMetric(OwnMetricKind kind, const MetricOptions& options,
                       const OwnSeriesNames& names);

// "7\x1f", with which the keys of the metric's series begin.
std::string OwnKeyPrefix(uint32_t number);
// The rest of a key, as the values of its labels.
std::vector<std::string> OwnKeyValues(std::string_view rest, size_t labels);

// Of a worker that has died: what grew is added to `dead`, levels are gone.
void FoldOwn(OwnSeriesCells& from, OwnSeriesCells& dead, const OwnSeriesNames& names);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_OWN_SERIES_H_
