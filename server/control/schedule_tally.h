// ScheduleTally: counts what becomes of schedules' times on the scoreboard, where it outlives this
// process.
//
// By tenant, within its bound; the rest together. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_SCHEDULE_TALLY_H_
#define GROVE_SERVER_CONTROL_SCHEDULE_TALLY_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "server/metrics/scoreboard.h"
#include "server/metrics/series.h"

namespace grove::control {

// Spawned, skipped, missed and refused: in the order of metrics::ScheduleCell.
using ScheduleCounts = std::array<int64_t, 4>;

class ScheduleTally {
 public:
  // It must outlive it.
  explicit ScheduleTally(metrics::SharedSeries& series);

  // What has come to be from `before` to `after`.
  void Count(std::string_view tenant, const ScheduleCounts& before, const ScheduleCounts& after);
  // A run's task was safe so long after the run was to begin.
  void CountLateness(int64_t us);

 private:
  metrics::SharedSeries& series_;
  metrics::SeriesIndex tenants_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SCHEDULE_TALLY_H_
