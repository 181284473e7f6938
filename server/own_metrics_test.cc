#include "server/own_metrics.h"

#include <limits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(OwnMetrics, CountInTheirProcessOutsideAWorker) {
  OwnMetrics metrics;
  const CounterMetric orders =
      metrics.Counter({.name = "orders_total", .help = "Orders.", .labels = {"kind"}});
  orders.With({"book"}).Add(2);
  orders.With({"book"}).Add();
  orders.With({"pen"}).Add();
  EXPECT_EQ(orders.With({"book"}).value(), 3u);
  EXPECT_EQ(orders.With({"pen"}).value(), 1u);
  const GaugeMetric open = metrics.Gauge({.name = "open_things", .help = "Open."});
  open.Set(2.5);
  open.Add(-1);
  EXPECT_EQ(open.With({}).value(), 1.5);
  const HistogramMetric times =
      metrics.Histogram({.name = "order_seconds", .help = "Time.", .buckets = {0.1, 1}});
  for (const double seconds : {0.05, 0.1, 0.5, 7.25}) times.Observe(seconds);
  EXPECT_EQ(times.With({}).count(), 4u);
  EXPECT_NEAR(times.With({}).sum(), 7.9, 1e-5);
  EXPECT_THAT(metrics.Mistakes(), IsEmpty());
}

TEST(OwnMetrics, AHistogramsSumNeverFalls) {
  OwnMetrics metrics;
  const HistogramMetric times =
      metrics.Histogram({.name = "order_seconds", .help = "Time.", .buckets = {1}});
  times.Observe(-5);
  times.Observe(std::numeric_limits<double>::quiet_NaN());
  times.Observe(std::numeric_limits<double>::infinity());
  EXPECT_EQ(times.With({}).count(), 3u);
  EXPECT_GE(times.With({}).sum(), 0);
}

TEST(OwnMetrics, AGaugeOfZeroIsSet) {
  EXPECT_NE(GaugeBits(0), 0u);
  EXPECT_EQ(GaugeValue(GaugeBits(0)), 0);
  EXPECT_EQ(GaugeValue(GaugeBits(-1.5)), -1.5);
  EXPECT_EQ(GaugeValue(0), 0);
}

std::string MistakeOf(OwnMetricKind kind, MetricOptions options) {
  OwnMetrics metrics;
  if (kind == OwnMetricKind::kCounter) metrics.Counter(std::move(options));
  if (kind == OwnMetricKind::kGauge) metrics.Gauge(std::move(options));
  if (kind == OwnMetricKind::kHistogram) metrics.Histogram(std::move(options));
  const std::vector<std::string> mistakes = metrics.Mistakes();
  return mistakes.empty() ? "" : mistakes[0];
}

TEST(OwnMetrics, NamesAreAsPrometheusWantsThem) {
  const auto counter = [](const std::string& name) {
    return MistakeOf(OwnMetricKind::kCounter, {.name = name, .help = "h"});
  };
  EXPECT_EQ(counter("orders_total"), "");
  EXPECT_THAT(counter("orders"), HasSubstr("a counter's name ends in _total"));
  EXPECT_THAT(counter("Orders_total"), HasSubstr("a name is"));
  EXPECT_THAT(counter("grove_orders_total"), HasSubstr("belongs to the daemon's"));
  EXPECT_THAT(counter("wait_ms_total"), HasSubstr("want a base unit"));
  const auto gauge = [](const std::string& name) {
    return MistakeOf(OwnMetricKind::kGauge, {.name = name, .help = "h"});
  };
  EXPECT_EQ(gauge("upper_things"), "");
  EXPECT_THAT(gauge("up"), HasSubstr("belongs to"));
  EXPECT_THAT(gauge("things_total"), HasSubstr("only a counter's"));
  EXPECT_THAT(gauge("things_count"), HasSubstr("parts of histograms"));
}

TEST(OwnMetrics, WhatIsRegisteredWronglyIsAMistake) {
  const auto mistake = [](MetricOptions options) {
    options.name = "things";
    return MistakeOf(OwnMetricKind::kGauge, std::move(options));
  };
  EXPECT_THAT(mistake({.name = "", .help = ""}), HasSubstr("want a help"));
  EXPECT_THAT(mistake({.name = "", .help = "two\nlines"}), HasSubstr("want a help"));
  EXPECT_THAT(mistake({.name = "", .help = "h", .labels = {"a", "a"}}), HasSubstr("stands twice"));
  EXPECT_THAT(mistake({.name = "", .help = "h", .labels = {"le"}}), HasSubstr("can be no label"));
  EXPECT_THAT(mistake({.name = "", .help = "h", .labels = {"a", "b", "c", "d", "e"}}),
              HasSubstr("more than 4 labels"));
  EXPECT_THAT(mistake({.name = "", .help = "h", .series_max = 0}), HasSubstr("series_max"));
  EXPECT_THAT(mistake({.name = "", .help = "h", .buckets = {1}}), HasSubstr("only a histogram"));
  EXPECT_THAT(MistakeOf(OwnMetricKind::kHistogram, {.name = "t", .help = "h"}),
              HasSubstr("needs buckets"));
  EXPECT_THAT(MistakeOf(OwnMetricKind::kHistogram, {.name = "t", .help = "h", .buckets = {1, 1}}),
              HasSubstr("do not ascend"));
  EXPECT_THAT(MistakeOf(OwnMetricKind::kCounter, {.name = "t_total", .help = "h", .largest = true}),
              HasSubstr("a gauge's"));
}

TEST(OwnMetrics, ANameThatIsTakenIsAMistake) {
  OwnMetrics metrics;
  metrics.Gauge({.name = "things", .help = "h"});
  metrics.Gauge({.name = "things", .help = "another"});
  EXPECT_THAT(metrics.Mistakes(), ElementsAre("metric \"things\" is registered twice"));
}

TEST(OwnMetrics, BeyondSeriesMaxTheRestCountsTogether) {
  OwnMetrics metrics;
  const CounterMetric orders = metrics.Counter(
      {.name = "orders_total", .help = "Orders.", .labels = {"kind"}, .series_max = 2});
  for (const char* kind : {"a", "b", "c", "d"}) orders.With({kind}).Add();
  EXPECT_EQ(orders.With({"a"}).value(), 1u);
  EXPECT_EQ(orders.With({"c"}).value(), 2u);
  EXPECT_EQ(orders.With({"new"}).value(), 2u);
}

}  // namespace
}  // namespace grove
