// What a scrape costs control: 200 routes with five codes each, counted by 64 workers.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "server/metrics/prometheus.h"
#include "server/metrics/route_cells.h"

namespace {

using grove::metrics::Scoreboard;
using Clock = std::chrono::steady_clock;

constexpr int kWorkers = 64;
constexpr int kRoutes = 200;
constexpr int kCodes[] = {200, 201, 404, 429, 500};
constexpr int kRounds = 20;

// All with this process's pid: as much is read of /proc as for as many processes.
void CountRequests(Scoreboard& board) {
  for (int worker = 0; worker < kWorkers; ++worker) {
    board.slot(worker).pid = getpid();
    grove::metrics::RouteCells cells(board, worker);
    for (int route = 0; route < kRoutes; ++route) {
      for (const int code : kCodes) {
        const auto of = cells.Of("/api/v1/things/" + std::to_string(route) + "/{id}", 0, code);
        of.requests->fetch_add(1);
        of.durations[3].fetch_add(1);
      }
    }
  }
}

double Milliseconds(Clock::duration took) {
  return std::chrono::duration<double, std::milli>(took).count();
}

}  // namespace

int main() {
  auto board = Scoreboard::Create(kWorkers);
  if (!board.ok()) std::abort();
  CountRequests(*board);
  grove::metrics::MetricsInput input{.scoreboard = *board};
  input.limits.routes_max = kRoutes;
  size_t bytes = 0;
  const auto began = Clock::now();
  for (int round = 0; round < kRounds; ++round) {
    input.processes = grove::metrics::ReadProcesses(*board);
    bytes = grove::metrics::RenderMetrics(input).size();
  }
  std::printf("%.1f ms a scrape of %zu KB\n", Milliseconds(Clock::now() - began) / kRounds,
              bytes / 1000);
  return 0;
}
