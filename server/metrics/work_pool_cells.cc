#include "server/metrics/work_pool_cells.h"

#include "runtime/switch/abseil_text.h"

namespace grove::metrics {

WorkPoolCells::WorkPoolCells(Scoreboard& scoreboard, int worker)
    : cells_(scoreboard.worker_series(worker)),
      pools_(scoreboard.series().work_pools.directory()) {}

WorkPoolCells::Cells WorkPoolCells::Of(std::string_view kind, std::string_view name) {
  const uint32_t number = pools_.Find(StrCat(kind, " ", name));
  return {cells_.work_pools.of[number], cells_.work_pool_levels.of[number]};
}

}  // namespace grove::metrics
