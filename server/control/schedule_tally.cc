#include "server/control/schedule_tally.h"

#include <algorithm>

namespace grove::control {
namespace {

void Add(metrics::Cell& cell, int64_t more) {
  cell.fetch_add(static_cast<uint64_t>(std::max<int64_t>(0, more)), std::memory_order_relaxed);
}

static_assert(ScheduleCounts().size() == metrics::kScheduleOutcomes.size());

}  // namespace

ScheduleTally::ScheduleTally(metrics::SharedSeries& series)
    : series_(series), tenants_(series.schedules.directory()) {}

void ScheduleTally::Count(std::string_view tenant, const ScheduleCounts& before,
                          const ScheduleCounts& after) {
  if (before == after) return;
  auto& cells = series_.schedule_cells.of[tenants_.Find(tenant)];
  for (size_t i = 0; i < after.size(); ++i) Add(cells[i], after[i] - before[i]);
}

void ScheduleTally::CountLateness(int64_t us) {
  const double seconds = static_cast<double>(us) / 1e6;
  Add(series_.schedule_lateness[metrics::BucketOf(metrics::kTaskTimeBounds, seconds)], 1);
  Add(series_.schedule_lateness.back(), us);
}

}  // namespace grove::control
