// WorkPoolCells: where a worker counts what its application's pools do: its part of the scoreboard.
//
// Made in the worker's process; hub thread only.
#ifndef GROVE_SERVER_METRICS_WORK_POOL_CELLS_H_
#define GROVE_SERVER_METRICS_WORK_POOL_CELLS_H_

#include <array>
#include <string_view>

#include "server/metrics/scoreboard.h"
#include "server/metrics/series.h"

namespace grove::metrics {

class WorkPoolCells {
 public:
  struct Cells {
    std::array<Cell, WorkPoolCell::kCount>& counts;
    std::array<Cell, WorkPoolLevel::kCount>& levels;
  };

  // `scoreboard` must outlive it.
  WorkPoolCells(Scoreboard& scoreboard, int worker);

  Cells Of(std::string_view kind, std::string_view name);

 private:
  WorkerSeries& cells_;
  SeriesIndex pools_;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_WORK_POOL_CELLS_H_
