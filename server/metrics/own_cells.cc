#include "server/metrics/own_cells.h"

#include <algorithm>
#include <string_view>

#include "runtime/switch/abseil_text.h"

namespace grove::metrics {
namespace {

// Within the bounds of a key, and without what separates values.
std::string Label(const std::string& value) {
  std::string label = value.substr(0, kOwnLabelBytesMax);
  std::replace(label.begin(), label.end(), '\x1f', '_');
  return label;
}

}  // namespace

OwnCells::OwnCells(Scoreboard& scoreboard, int worker, const OwnMetrics& metrics)
    : names_(scoreboard.series().own),
      cells_(scoreboard.worker_series(worker).own),
      counters_(names_.counters.directory()),
      gauges_(names_.gauges.directory()),
      histograms_(names_.histograms.directory()) {
  for (const auto& family : metrics.families()) {
    const uint32_t number = FindOwnMetric(family->kind(), family->options(), names_);
    metrics_.push_back({.kind = family->kind(),
                        .labels = family->options().labels.size(),
                        .series_max = family->options().series_max,
                        .prefix = number == kOwnTableMax ? "" : OwnKeyPrefix(number)});
  }
}

SeriesIndex& OwnCells::IndexOf(OwnMetricKind kind) {
  if (kind == OwnMetricKind::kCounter) return counters_;
  return kind == OwnMetricKind::kGauge ? gauges_ : histograms_;
}

SeriesDirectory OwnCells::DirectoryOf(OwnMetricKind kind) {
  if (kind == OwnMetricKind::kCounter) return names_.counters.directory();
  return kind == OwnMetricKind::kGauge ? names_.gauges.directory() : names_.histograms.directory();
}

MetricCell* OwnCells::CellsOf(OwnMetricKind kind, uint32_t number) {
  if (kind == OwnMetricKind::kCounter) return cells_.counters.of[number].data();
  if (kind == OwnMetricKind::kGauge) return cells_.gauges.of[number].data();
  return cells_.histograms.of[number].data();
}

size_t OwnCells::CountOf(const Metric& metric) {
  const SeriesDirectory directory = DirectoryOf(metric.kind);
  const uint32_t claimed = std::min(directory.claimed(), directory.capacity());
  size_t count = 0;
  for (uint32_t number = 1; number <= claimed; ++number) {
    if (directory.key(number).starts_with(metric.prefix)) ++count;
  }
  return count;
}

bool OwnCells::IsFull(Metric& metric) {
  metric.full = metric.full || CountOf(metric) >= metric.series_max;
  return metric.full;
}

MetricCell* OwnCells::Find(size_t metric, const std::vector<std::string>& values) {
  Metric& of = metrics_[metric];
  if (of.prefix.empty()) return nullptr;
  std::string key = of.prefix;
  for (size_t i = 0; i < values.size(); ++i) {
    StrAppend(&key, i == 0 ? "" : "\x1f", Label(values[i]));
  }
  absl::MutexLock lock(&mutex_);
  SeriesIndex& index = IndexOf(of.kind);
  if (!index.Knows(key) && IsFull(of)) {
    names_.counters.directory().NoteDropped();  // the one that is shown
    return nullptr;
  }
  const uint32_t number = index.Find(key);
  return number == kOtherSeries ? nullptr : CellsOf(of.kind, number);
}

MetricCell* OwnCells::Other(size_t metric) {
  const Metric& of = metrics_[metric];
  absl::MutexLock lock(&mutex_);
  // Nobody's number: cells that no series shows.
  if (of.prefix.empty()) return CellsOf(of.kind, kOtherSeries);
  std::string key = of.prefix;
  for (size_t i = 0; i < of.labels; ++i) StrAppend(&key, i == 0 ? "" : "\x1f", kOther);
  return CellsOf(of.kind, IndexOf(of.kind).Find(key));
}

}  // namespace grove::metrics
