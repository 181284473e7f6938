// RouteCells: where a worker counts what requests came to by route: its part of the scoreboard.
//
// Made in the worker's process; hub thread only.
#ifndef GROVE_SERVER_METRICS_ROUTE_CELLS_H_
#define GROVE_SERVER_METRICS_ROUTE_CELLS_H_

#include <cstddef>
#include <string_view>

#include "server/http/serving/route_stats.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/series.h"

namespace grove::metrics {

// What stands for a route where none matched.
inline constexpr char kNoRoute[] = "_none";

class RouteCells {
 public:
  // `scoreboard` must outlive it.
  RouteCells(Scoreboard& scoreboard, int worker);

  http::RouteStats::Cells Of(std::string_view route, size_t method, int status);

 private:
  WorkerSeries& cells_;
  SeriesIndex requests_;
  SeriesIndex routes_;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_ROUTE_CELLS_H_
