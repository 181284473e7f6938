// MetricTable: every metric that /metrics may show: its name, type and meaning.
//
// The one list of them: what is not in it cannot be rendered, and the documents are checked against
// it.
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
  std::string_view help;
};

absl::Span<const MetricRow> MetricTable();

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_METRIC_TABLE_H_
