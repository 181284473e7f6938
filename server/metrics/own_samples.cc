#include "server/metrics/own_samples.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "server/metrics/own_series.h"

namespace grove::metrics {
namespace {

constexpr double kMillionths = 1e6;

prometheus::MetricType TypeOf(OwnMetricKind kind) {
  if (kind == OwnMetricKind::kCounter) return prometheus::MetricType::Counter;
  return kind == OwnMetricKind::kGauge ? prometheus::MetricType::Gauge
                                       : prometheus::MetricType::Histogram;
}

// Calls `body` with the part of every worker there is.
template <typename F>
void ForEachWorker(Scoreboard& board, F body) {
  for (int worker = 0; worker < board.workers(); ++worker) body(board.worker_series(worker).own);
  body(board.worker_series(Scoreboard::kStandIn).own);
}

uint64_t CounterOf(Scoreboard& board, uint32_t series) {
  uint64_t total = board.series().dead.own.counters.of[series][0].load(std::memory_order_relaxed);
  ForEachWorker(board, [&](const OwnSeriesCells& own) {
    total += own.counters.of[series][0].load(std::memory_order_relaxed);
  });
  return total;
}

double GaugeOf(Scoreboard& board, uint32_t series, bool largest) {
  double value = 0;
  bool any = false;
  ForEachWorker(board, [&](const OwnSeriesCells& own) {
    const uint64_t bits = own.gauges.of[series][0].load(std::memory_order_relaxed);
    if (bits == 0) return;
    const double of_one = GaugeValue(bits);
    value = !any ? of_one : largest ? std::max(value, of_one) : value + of_one;
    any = true;
  });
  return value;
}

std::array<uint64_t, kOwnCellsMax> HistogramOf(Scoreboard& board, uint32_t series) {
  std::array<uint64_t, kOwnCellsMax> total = {};
  const auto add = [&](const OwnSeriesCells& own) {
    for (size_t i = 0; i < total.size(); ++i) {
      total[i] += own.histograms.of[series][i].load(std::memory_order_relaxed);
    }
  };
  add(board.series().dead.own);
  ForEachWorker(board, add);
  return total;
}

void AddSeries(Scoreboard& board, const OwnMetric& metric, uint32_t series,
               const std::vector<std::string>& values, MetricFamilies& families) {
  const MetricOptions& options = metric.options;
  if (metric.kind == OwnMetricKind::kCounter) {
    return families.Add(options.name, values, static_cast<double>(CounterOf(board, series)));
  }
  if (metric.kind == OwnMetricKind::kGauge) {
    return families.Add(options.name, values, GaugeOf(board, series, options.largest));
  }
  const std::array<uint64_t, kOwnCellsMax> cells = HistogramOf(board, series);
  const size_t counts = options.buckets.size() + 1;
  families.AddHistogram(
      options.name, values, absl::MakeConstSpan(cells.data(), counts),
      static_cast<double>(cells[counts]) + static_cast<double>(cells[counts + 1]) / kMillionths);
}

}  // namespace

void AddOwn(Scoreboard& board, const std::vector<OwnMetric>& metrics, MetricFamilies& families) {
  OwnSeriesNames& names = board.series().own;
  for (const OwnMetric& metric : metrics) {
    const MetricOptions& options = metric.options;
    if (options.buckets.size() > kOwnBucketsMax) continue;
    if (!families.Declare(options.name, options.help, TypeOf(metric.kind), options.labels,
                          options.buckets)) {
      continue;
    }
    const SeriesDirectory directory =
        metric.kind == OwnMetricKind::kCounter ? names.counters.directory()
        : metric.kind == OwnMetricKind::kGauge ? names.gauges.directory()
                                               : names.histograms.directory();
    const std::string prefix = OwnKeyPrefix(metric.number);
    for (uint32_t series = 1; series <= directory.claimed(); ++series) {
      std::string_view key = directory.key(series);
      if (!key.starts_with(prefix)) continue;
      key.remove_prefix(prefix.size());
      AddSeries(board, metric, series, OwnKeyValues(key, options.labels.size()), families);
    }
  }
}

}  // namespace grove::metrics
