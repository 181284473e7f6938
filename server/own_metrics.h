// OwnMetrics: the metrics that an application registers beside the daemon's.
//
//   const grove::CounterMetric orders = application.metrics().Counter(
//       {.name = "shop_orders_total", .help = "Orders taken.", .labels = {"kind"}});
//   …
//   orders.With({"card"}).Add();
//
// A metric belongs to all workers: /metrics shows their sum, and counters and histograms keep what
// workers that have died have counted (server/metrics/own_cells.h). Count on any thread of a
// worker. Add(), Set() and Observe() take no lock and write to memory of this worker alone; With()
// looks the values up, so keep what it returns where it is on a hot path. What is counted before
// the worker has started, or outside one, as in a test, stays in the process: value() says it.
// Handles are values and good as long as the application.
#ifndef GROVE_SERVER_OWN_METRICS_H_
#define GROVE_SERVER_OWN_METRICS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace grove {

inline constexpr size_t kOwnMetricsMax = 200;
inline constexpr size_t kOwnLabelsMax = 4;
inline constexpr size_t kOwnBucketsMax = 20;
// A longer value of a label is cut.
inline constexpr size_t kOwnLabelBytesMax = 56;
inline constexpr size_t kOwnHelpBytesMax = 400;

enum class OwnMetricKind { kCounter, kGauge, kHistogram };

struct MetricOptions {
  // As Prometheus wants them: base units at the end, "_total" at a counter's.
  std::string name;
  std::string help;  // one line
  std::vector<std::string> labels = {};
  // Different values of the labels that are shown; the rest is counted together as "_other".
  size_t series_max = 100;
  // Of a histogram: upper bounds, ascending.
  std::vector<double> buckets = {};
  // Of a gauge: the largest of the workers' values is shown, instead of their sum.
  bool largest = false;
};

using MetricCell = std::atomic<uint64_t>;

// A counter's only cell; a gauge's, as GaugeBits(); a histogram's buckets, one more, and the sum in
// whole numbers and millionths.
inline constexpr size_t kOwnCellsMax = kOwnBucketsMax + 3;

// 0 is a gauge that nobody has set.
uint64_t GaugeBits(double value);
double GaugeValue(uint64_t bits);

// Where a worker's cells are. Any thread.
class MetricCells {
 public:
  virtual ~MetricCells() = default;
  // `metric` counts in the order of registration. Null: there are series_max of it, or no room.
  virtual MetricCell* Find(size_t metric, const std::vector<std::string>& values) = 0;
  // Of what Find() has no place for.
  virtual MetricCell* Other(size_t metric) = 0;
};

// One metric's series.
class MetricFamily {
 public:
  struct Series {
    std::atomic<MetricCell*> cells;
    std::unique_ptr<MetricCell[]> own;  // outside a worker
  };

  MetricFamily(size_t number, OwnMetricKind kind, MetricOptions options);

  OwnMetricKind kind() const { return kind_; }
  const MetricOptions& options() const { return options_; }
  Series& With(const std::vector<std::string>& values);
  // From now on they count there.
  void Attach(MetricCells& cells);

 private:
  // `cells`: null for some of its own.
  std::unique_ptr<Series> NewSeries(MetricCell* cells) const;

  const size_t number_;
  const OwnMetricKind kind_;
  const MetricOptions options_;
  absl::Mutex mutex_;
  MetricCells* source_ ABSL_GUARDED_BY(mutex_) = nullptr;
  absl::flat_hash_map<std::string, std::unique_ptr<Series>> series_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Series> other_ ABSL_GUARDED_BY(mutex_);
};

class CounterSeries {
 public:
  explicit CounterSeries(MetricFamily::Series& series) : series_(&series) {}
  void Add(uint64_t count = 1) const {
    series_->cells.load(std::memory_order_relaxed)->fetch_add(count, std::memory_order_relaxed);
  }
  // Of this process.
  uint64_t value() const {
    return series_->cells.load(std::memory_order_relaxed)->load(std::memory_order_relaxed);
  }

 private:
  MetricFamily::Series* series_;
};

class GaugeSeries {
 public:
  explicit GaugeSeries(MetricFamily::Series& series) : series_(&series) {}
  void Set(double value) const {
    series_->cells.load(std::memory_order_relaxed)
        ->store(GaugeBits(value), std::memory_order_relaxed);
  }
  void Add(double difference) const;
  double value() const {
    return GaugeValue(
        series_->cells.load(std::memory_order_relaxed)->load(std::memory_order_relaxed));
  }

 private:
  MetricFamily::Series* series_;
};

class HistogramSeries {
 public:
  HistogramSeries(MetricFamily::Series& series, const std::vector<double>& buckets)
      : series_(&series), buckets_(&buckets) {}
  // `value` is 0 or above; what is not counts as 0, so that the sum never falls.
  void Observe(double value) const;
  uint64_t count() const;
  double sum() const;

 private:
  MetricFamily::Series* series_;
  const std::vector<double>* buckets_;
};

// `values` stand in the order of the labels. Requires: as many.
class CounterMetric {
 public:
  explicit CounterMetric(MetricFamily& family) : family_(&family) {}
  CounterSeries With(const std::vector<std::string>& values) const {
    return CounterSeries(family_->With(values));
  }
  // Of a metric without labels.
  void Add(uint64_t count = 1) const { With({}).Add(count); }

 private:
  MetricFamily* family_;
};

class GaugeMetric {
 public:
  explicit GaugeMetric(MetricFamily& family) : family_(&family) {}
  GaugeSeries With(const std::vector<std::string>& values) const {
    return GaugeSeries(family_->With(values));
  }
  void Set(double value) const { With({}).Set(value); }
  void Add(double difference) const { With({}).Add(difference); }

 private:
  MetricFamily* family_;
};

class HistogramMetric {
 public:
  explicit HistogramMetric(MetricFamily& family) : family_(&family) {}
  HistogramSeries With(const std::vector<std::string>& values) const {
    return {family_->With(values), family_->options().buckets};
  }
  void Observe(double value) const { With({}).Observe(value); }

 private:
  MetricFamily* family_;
};

class OwnMetrics {
 public:
  CounterMetric Counter(MetricOptions options);
  GaugeMetric Gauge(MetricOptions options);
  HistogramMetric Histogram(MetricOptions options);

  const std::vector<std::unique_ptr<MetricFamily>>& families() const { return families_; }
  // What was registered wrongly, in words.
  std::vector<std::string> Mistakes() const;
  // In a worker, before anything counts. `cells` must outlive all counting.
  void Attach(MetricCells& cells) const;

 private:
  MetricFamily& Add(OwnMetricKind kind, MetricOptions options);

  std::vector<std::unique_ptr<MetricFamily>> families_;
};

}  // namespace grove

#endif  // GROVE_SERVER_OWN_METRICS_H_
