#include "server/metrics/own_cells.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What each process has after fork(2): the same registrations.
struct Program {
  OwnMetrics metrics;
  CounterMetric orders = metrics.Counter(
      {.name = "orders_total", .help = "Orders.", .labels = {"kind"}, .series_max = 3});
  GaugeMetric open = metrics.Gauge({.name = "open_things", .help = "Open."});
  HistogramMetric times =
      metrics.Histogram({.name = "order_seconds", .help = "Time.", .buckets = {0.1, 1}});
};

struct Worker : Program {
  Worker(Scoreboard& board, int number) : cells(board, number, metrics) { metrics.Attach(cells); }
  OwnCells cells;
};

class OwnCellsTest : public testing::Test {
 protected:
  OwnCellsTest() { EXPECT_TRUE(DeclareOwnMetrics(Program().metrics, names())); }

  OwnSeriesNames& names() { return board_.series().own; }
  std::vector<std::string> Shown() {
    std::vector<std::string> shown;
    for (const OwnMetric& metric : ReadOwnMetrics(names())) shown.push_back(metric.options.name);
    return shown;
  }
  uint64_t DeadOrders(Worker& worker, const std::string& kind) {
    MetricCell* live = worker.cells.Find(0, {kind});
    const auto series =
        reinterpret_cast<MetricCell(*)[1]>(live) -
        reinterpret_cast<MetricCell(*)[1]>(board_.worker_series(0).own.counters.of.data());
    return board_.series().dead.own.counters.of[series][0].load();
  }

  Scoreboard board_ = *Scoreboard::Create(2);
};

TEST_F(OwnCellsTest, WorkersCountInCellsOfTheirOwnUnderTheSameNumber) {
  Worker first(board_, 0), second(board_, 1);
  first.orders.With({"book"}).Add(2);
  second.orders.With({"book"}).Add(3);
  EXPECT_EQ(first.cells.Find(0, {"book"})->load(), 2u);
  EXPECT_EQ(second.cells.Find(0, {"book"})->load(), 3u);
  EXPECT_EQ(names().counters.directory().claimed(), 1u);
}

TEST_F(OwnCellsTest, ASeriesThatWasTakenBeforeCountsThereToo) {
  Program program;
  const CounterSeries kept = program.orders.With({"book"});
  kept.Add(7);  // in the supervisor: nobody's
  OwnCells cells(board_, 0, program.metrics);
  program.metrics.Attach(cells);
  kept.Add(2);
  EXPECT_EQ(cells.Find(0, {"book"})->load(), 2u);
}

TEST_F(OwnCellsTest, TheDeathOfAWorkerKeepsWhatGrewAndForgetsLevels) {
  Worker worker(board_, 0);
  worker.orders.With({"book"}).Add(5);
  worker.open.Set(3);
  worker.times.Observe(0.5);
  board_.Fold(0);
  EXPECT_EQ(worker.cells.Find(0, {"book"})->load(), 0u);
  EXPECT_EQ(DeadOrders(worker, "book"), 5u);
  EXPECT_EQ(worker.open.With({}).value(), 0);
  EXPECT_EQ(worker.times.With({}).count(), 0u);
  const auto& dead = board_.series().dead.own.histograms.of[1];
  EXPECT_EQ(dead[1].load(), 1u);
  EXPECT_EQ(dead[4].load(), 500'000u);
}

TEST_F(OwnCellsTest, SeriesMaxHoldsForAllWorkersTogether) {
  Worker first(board_, 0), second(board_, 1);
  for (const char* kind : {"a", "b"}) first.orders.With({kind}).Add();
  for (const char* kind : {"b", "c", "d", "e"}) second.orders.With({kind}).Add();
  first.orders.With({"f"}).Add();
  EXPECT_EQ(second.cells.Find(0, {"d"}), nullptr);
  EXPECT_EQ(second.cells.Find(0, {"c"})->load(), 1u);
  EXPECT_EQ(second.cells.Other(0)->load(), 2u);  // d and e
  EXPECT_EQ(first.cells.Other(0)->load(), 1u);   // f
  EXPECT_GE(names().counters.directory().dropped(), 3u);
}

TEST_F(OwnCellsTest, AMetricWithoutLabelsIsThereFromTheStart) {
  Worker worker(board_, 0);
  EXPECT_EQ(names().gauges.directory().claimed(), 1u);
  EXPECT_EQ(names().histograms.directory().claimed(), 1u);
  EXPECT_EQ(names().counters.directory().claimed(), 0u);
}

TEST_F(OwnCellsTest, LongValuesAreCutAndSeparatorsReplaced) {
  Worker worker(board_, 0);
  const std::string longest(kOwnLabelBytesMax, 'x');
  worker.orders.With({longest + "yz"}).Add();
  EXPECT_EQ(worker.cells.Find(0, {longest})->load(), 1u);
  worker.orders
      .With({"a\x1f"
             "b"})
      .Add();
  EXPECT_EQ(worker.cells.Find(0, {"a_b"})->load(), 1u);
}

TEST_F(OwnCellsTest, TheNextProgramShowsItsOwnAndWorkersOfTheOneBeforeCountOn) {
  Worker before(board_, 0);
  OwnMetrics next;
  const CounterMetric orders = next.Counter(
      {.name = "orders_total", .help = "Orders, by shop.", .labels = {"shop", "kind"}});
  next.Gauge({.name = "open_things", .help = "Open."});
  EXPECT_TRUE(DeclareOwnMetrics(next, names()));
  EXPECT_THAT(Shown(), ElementsAre("open_things", "orders_total"));
  OwnCells cells(board_, 1, next);
  next.Attach(cells);
  orders.With({"north", "book"}).Add(4);
  before.orders.With({"book"}).Add(5);
  EXPECT_EQ(cells.Find(0, {"north", "book"})->load(), 4u);
  EXPECT_EQ(before.cells.Find(0, {"book"})->load(), 5u);
  // And back.
  EXPECT_TRUE(DeclareOwnMetrics(before.metrics, names()));
  EXPECT_THAT(Shown(), ElementsAre("open_things", "order_seconds", "orders_total"));
  EXPECT_TRUE(DeclareOwnMetrics(OwnMetrics(), names()));
  EXPECT_THAT(Shown(), IsEmpty());
}

TEST_F(OwnCellsTest, AFullTableCountsForNobodyAndSaysSo) {
  for (size_t program = 0; program < kOwnTableMax; ++program) {
    OwnMetrics metrics;
    metrics.Gauge({.name = "g" + std::to_string(program), .help = "G."});
    DeclareOwnMetrics(metrics, names());
  }
  OwnMetrics late;
  const CounterMetric lost = late.Counter({.name = "lost_total", .help = "Lost."});
  EXPECT_FALSE(DeclareOwnMetrics(late, names()));
  OwnCells cells(board_, 0, late);
  late.Attach(cells);
  lost.Add();
  EXPECT_EQ(cells.Find(0, {}), nullptr);
}

TEST(OwnSeries, ADeclarationIsReadAsItWasWritten) {
  Scoreboard board = *Scoreboard::Create(1);
  OwnMetrics metrics;
  metrics.Histogram({.name = "h_seconds",
                     .help = "What, and why: \"so\".",
                     .labels = {"a", "b"},
                     .buckets = {0.1, 1.0 / 3, 1e9}});
  metrics.Gauge({.name = "i", .help = "I.", .largest = true});
  ASSERT_TRUE(DeclareOwnMetrics(metrics, board.series().own));
  const std::vector<OwnMetric> read = ReadOwnMetrics(board.series().own);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].kind, OwnMetricKind::kHistogram);
  EXPECT_EQ(read[0].options.help, "What, and why: \"so\".");
  EXPECT_THAT(read[0].options.labels, ElementsAre("a", "b"));
  EXPECT_THAT(read[0].options.buckets, ElementsAre(0.1, 1.0 / 3, 1e9));
  EXPECT_TRUE(read[1].options.largest);
}

}  // namespace
}  // namespace grove::metrics
