// What counting in an application's metrics costs a worker, in time on a processor.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "server/metrics/own_cells.h"

namespace {

constexpr int kRounds = 20'000'000;

double Nanoseconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <typename F>
void Measure(const char* what, F body) {
  const double began = Nanoseconds();
  for (int i = 0; i < kRounds; ++i) body(i);
  std::printf("%-10s %.1f ns\n", what, (Nanoseconds() - began) / kRounds);
}

}  // namespace

int main() {
  auto board = grove::metrics::Scoreboard::Create(2);
  if (!board.ok()) std::abort();
  grove::OwnMetrics metrics;
  const grove::CounterMetric orders =
      metrics.Counter({.name = "orders_total", .help = "Orders.", .labels = {"kind"}});
  const grove::GaugeMetric open = metrics.Gauge({.name = "open_things", .help = "Open."});
  const grove::HistogramMetric times =
      metrics.Histogram({.name = "order_seconds",
                         .help = "Time.",
                         .buckets = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30}});
  if (!grove::metrics::DeclareOwnMetrics(metrics, board->series().own)) std::abort();
  grove::metrics::OwnCells cells(*board, 0, metrics);
  metrics.Attach(cells);
  const grove::CounterSeries books = orders.With({"book"});
  const grove::GaugeSeries level = open.With({});
  const grove::HistogramSeries seconds = times.With({});
  Measure("counter", [&](int) { books.Add(); });
  Measure("gauge", [&](int i) { level.Set(i); });
  Measure("histogram", [&](int i) { seconds.Observe(0.0007 * (i & 1023)); });
  Measure("with", [&](int) { orders.With({"book"}).Add(); });
  return 0;
}
