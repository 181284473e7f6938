#include "server/metrics/route_cells.h"

#include "runtime/switch/abseil_text.h"
#include "server/http/serving/stats.h"

namespace grove::metrics {

RouteCells::RouteCells(Scoreboard& scoreboard, int worker)
    : cells_(scoreboard.worker_series(worker)),
      requests_(scoreboard.series().requests.directory()),
      routes_(scoreboard.series().routes.directory()) {}

http::RouteStats::Cells RouteCells::Of(std::string_view route, size_t method, int status) {
  if (route.empty()) route = kNoRoute;
  // Of all the rest together: more codes than one, so that none can be named.
  if (status == 0) return {&cells_.requests.of[kOtherSeries][0], cells_.routes.of[kOtherSeries]};
  const uint32_t request =
      requests_.Find(StrCat(http::kCountedMethods[method], " ", status, " ", route));
  return {&cells_.requests.of[request][0], cells_.routes.of[routes_.Find(route)]};
}

}  // namespace grove::metrics
