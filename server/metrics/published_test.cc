#include "server/metrics/published.h"

#include <optional>

#include "gtest/gtest.h"
#include "server/metrics/metric_table.h"

namespace grove::metrics {
namespace {

// The kind of the metric of that name; nothing if the table has none.
std::optional<MetricKind> KindOf(const char* name) {
  for (const MetricRow& row : MetricTable()) {
    if (row.name == name) return row.kind;
  }
  return std::nullopt;
}

template <typename Rows>
void ExpectKind(const Rows& rows, MetricKind kind) {
  for (const auto& row : rows) {
    if (row.metric == nullptr) continue;
    EXPECT_EQ(KindOf(row.metric), kind) << row.metric;
  }
}

// No number is counted, or kept, in two rows.
template <typename Rows>
void ExpectEachOnce(const Rows& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(rows[i].counted == rows[j].counted) << i << " and " << j;
      EXPECT_FALSE(rows[i].published == rows[j].published) << i << " and " << j;
    }
  }
}

TEST(Published, EveryMetricIsInTheTableAndOfItsKind) {
  ExpectKind(kHttpCounters, MetricKind::kCounter);
  ExpectKind(kHubCounters, MetricKind::kCounter);
  ExpectKind(kHttpLevels, MetricKind::kGauge);
  ExpectKind(kHubLevels, MetricKind::kGauge);
  ExpectKind(kFetchCounters, MetricKind::kCounter);
  ExpectKind(kFetchLevels, MetricKind::kGauge);
  ExpectKind(kTopicCounters, MetricKind::kCounter);
}

TEST(Published, EveryNumberHasOneRow) {
  ExpectEachOnce(kHttpCounters);
  ExpectEachOnce(kHubCounters);
  ExpectEachOnce(kHttpLevels);
  ExpectEachOnce(kHubLevels);
  ExpectEachOnce(kFetchCounters);
  ExpectEachOnce(kFetchLevels);
  ExpectEachOnce(kTopicCounters);
}

}  // namespace
}  // namespace grove::metrics
