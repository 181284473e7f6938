// MetricTable: every metric that /metrics may show: its name, type, labels, unit and meaning, and
// the bounds of its buckets.
//
// The one list of them: what is not in it, or has other labels, cannot be rendered; documents,
// dashboards and alerts are checked against it.
#ifndef GROVE_SERVER_METRICS_METRIC_TABLE_H_
#define GROVE_SERVER_METRICS_METRIC_TABLE_H_

#include <string_view>

#include "absl/types/span.h"

namespace grove::metrics {

enum class MetricKind { kCounter, kGauge, kHistogram };

struct MetricRow {
  std::string_view name;
  MetricKind kind;
  // Comma-separated; empty if there are none.
  std::string_view labels;
  // Prometheus' base units, as the name ends too; empty: a number of what `help` says.
  std::string_view unit;
  std::string_view help;
  // Upper bounds of a histogram's buckets, without the last, which is everything above.
  absl::Span<const double> buckets = {};
};

absl::Span<const MetricRow> MetricTable();

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_METRIC_TABLE_H_
