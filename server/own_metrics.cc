#include "server/own_metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/hub/check.h"
#include "server/log.h"

namespace grove {
namespace {

constexpr double kMillionths = 1e6;
// Of which no metric of an application's may be: the daemon's, and what Prometheus adds.
constexpr std::string_view kTakenPrefixes[] = {"grove_", "process_", "up", "scrape_", "go_"};
constexpr std::string_view kTakenSuffixes[] = {"_bucket", "_sum", "_count"};

bool IsName(const std::string& name) {
  if (name.empty() || name.size() > 100 || !absl::ascii_islower(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
  });
}

bool HasSuffix(const std::string& name, std::string_view suffix) {
  return std::string_view(name).ends_with(suffix);
}

std::string NameMistake(OwnMetricKind kind, const std::string& name) {
  if (!IsName(name)) return "a name is lower-case letters, digits and '_'";
  for (const std::string_view prefix : kTakenPrefixes) {
    const bool taken = prefix.back() == '_' ? std::string_view(name).starts_with(prefix)
                                            : std::string_view(name) == prefix;
    if (taken) return "the name belongs to the daemon's or to Prometheus' own metrics";
  }
  for (const std::string_view suffix : kTakenSuffixes) {
    if (HasSuffix(name, suffix)) return "_bucket, _sum and _count end the parts of histograms";
  }
  const bool is_counter = kind == OwnMetricKind::kCounter;
  if (is_counter != HasSuffix(name, "_total")) {
    return is_counter ? "a counter's name ends in _total" : "only a counter's name ends in _total";
  }
  for (const std::string_view unit : {"_ms", "_milliseconds", "_us", "_minutes", "_kb", "_mb"}) {
    const std::string plain =
        is_counter ? name.substr(0, name.size() - std::string_view("_total").size()) : name;
    if (HasSuffix(plain, unit)) return "want a base unit: _seconds, _bytes";
  }
  return "";
}

void MistakesOf(OwnMetricKind kind, const MetricOptions& options,
                std::vector<std::string>& mistakes) {
  const auto add = [&](const std::string& what) {
    if (!what.empty()) {
      mistakes.push_back(absl::StrCat("metric \"", options.name, "\": ", what));
    }
  };
  add(NameMistake(kind, options.name));
  if (options.help.empty() || options.help.size() > kOwnHelpBytesMax ||
      options.help.find('\n') != std::string::npos) {
    add(absl::StrCat("want a help of one line, at most ", kOwnHelpBytesMax, " bytes"));
  }
  if (options.labels.size() > kOwnLabelsMax) {
    add(absl::StrCat("has more than ", kOwnLabelsMax, " labels"));
  }
  std::vector<std::string> sorted = options.labels;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) add("a label stands twice");
  for (const std::string& label : options.labels) {
    if (!IsName(label) || label == "le" || label == "quantile" || label.size() > 40) {
      add(absl::StrCat("'", label, "' can be no label"));
    }
  }
  if (options.series_max < 1 || options.series_max > 1000) add("series_max is not 1 to 1000");
  if ((kind == OwnMetricKind::kHistogram) == options.buckets.empty()) {
    add(options.buckets.empty() ? "a histogram needs buckets" : "only a histogram has buckets");
  }
  if (options.buckets.size() > kOwnBucketsMax) {
    add(absl::StrCat("has more than ", kOwnBucketsMax, " buckets"));
  }
  for (size_t i = 0; i < options.buckets.size(); ++i) {
    if (std::isfinite(options.buckets[i]) &&
        (i == 0 || options.buckets[i - 1] < options.buckets[i])) {
      continue;
    }
    add("its buckets do not ascend");
    break;
  }
  if (options.largest && kind != OwnMetricKind::kGauge) add("`largest` is a gauge's");
}

size_t CellsOf(OwnMetricKind kind, const MetricOptions& options) {
  return kind == OwnMetricKind::kHistogram ? std::min(options.buckets.size(), kOwnBucketsMax) + 3
                                           : 1;
}

}  // namespace

// Zero's own bits are those of one that nobody has set.
uint64_t GaugeBits(double value) {
  return std::bit_cast<uint64_t>(value == 0 ? -0.0 : value);
}

double GaugeValue(uint64_t bits) {
  return std::bit_cast<double>(bits) + 0.0;
}

MetricFamily::MetricFamily(size_t number, OwnMetricKind kind, MetricOptions options)
    : number_(number), kind_(kind), options_(std::move(options)) {}

std::unique_ptr<MetricFamily::Series> MetricFamily::NewSeries(MetricCell* cells) const {
  auto series = std::make_unique<Series>();
  if (cells == nullptr) {
    series->own = std::make_unique<MetricCell[]>(CellsOf(kind_, options_));
    cells = series->own.get();
  }
  series->cells.store(cells, std::memory_order_relaxed);
  return series;
}

MetricFamily::Series& MetricFamily::With(const std::vector<std::string>& values) {
  GROVE_CHECK(values.size() == options_.labels.size(),
              "a series with other labels than its metric");
  const std::string key = absl::StrJoin(values, "\x1f");
  absl::MutexLock lock(&mutex_);
  const auto found = series_.find(key);
  if (found != series_.end()) return *found->second;
  if (source_ == nullptr && series_.size() < options_.series_max) {
    return *(series_[key] = NewSeries(nullptr));
  }
  if (MetricCell* cells = source_ == nullptr ? nullptr : source_->Find(number_, values)) {
    return *(series_[key] = NewSeries(cells));
  }
  if (other_ == nullptr) {
    other_ = NewSeries(source_ == nullptr ? nullptr : source_->Other(number_));
    Log(LogLevel::kWarning, "a metric has too many label values: the rest counts as _other",
        {{"metric", options_.name}, {"series_max", options_.series_max}});
  }
  return *other_;
}

void MetricFamily::Attach(MetricCells& cells) {
  absl::MutexLock lock(&mutex_);
  source_ = &cells;
  for (auto& [key, series] : series_) {
    std::vector<std::string> values;
    if (!options_.labels.empty()) values = std::vector<std::string>(options_.labels.size());
    std::string_view rest = key;
    for (std::string& value : values) {
      const size_t end = std::min(rest.find('\x1f'), rest.size());
      value = std::string(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    MetricCell* place = cells.Find(number_, values);
    series->cells.store(place != nullptr ? place : cells.Other(number_), std::memory_order_relaxed);
  }
  if (other_ != nullptr) other_->cells.store(cells.Other(number_), std::memory_order_relaxed);
  // So that rates have a first sample.
  if (!options_.labels.empty() || series_.contains("")) return;
  if (MetricCell* place = cells.Find(number_, {})) {
    series_[""] = NewSeries(place);
  }
}

void GaugeSeries::Add(double difference) const {
  MetricCell& cell = *series_->cells.load(std::memory_order_relaxed);
  uint64_t before = cell.load(std::memory_order_relaxed);
  while (!cell.compare_exchange_weak(before, GaugeBits(GaugeValue(before) + difference),
                                     std::memory_order_relaxed)) {
  }
}

void HistogramSeries::Observe(double value) const {
  MetricCell* cells = series_->cells.load(std::memory_order_relaxed);
  if (!(value > 0)) value = 0;
  const auto bucket = std::lower_bound(buckets_->begin(), buckets_->end(), value);
  cells[bucket - buckets_->begin()].fetch_add(1, std::memory_order_relaxed);
  MetricCell* sum = cells + buckets_->size() + 1;
  // Beyond no sum of numbers like it means anything.
  const double bounded = std::min(value, 1e15);
  const auto whole = static_cast<uint64_t>(bounded);
  if (whole != 0) sum[0].fetch_add(whole, std::memory_order_relaxed);
  const auto rest = static_cast<uint64_t>((bounded - static_cast<double>(whole)) * kMillionths);
  if (rest != 0) sum[1].fetch_add(rest, std::memory_order_relaxed);
}

uint64_t HistogramSeries::count() const {
  MetricCell* cells = series_->cells.load(std::memory_order_relaxed);
  uint64_t count = 0;
  for (size_t i = 0; i <= buckets_->size(); ++i) count += cells[i].load(std::memory_order_relaxed);
  return count;
}

double HistogramSeries::sum() const {
  MetricCell* sum = series_->cells.load(std::memory_order_relaxed) + buckets_->size() + 1;
  return static_cast<double>(sum[0].load(std::memory_order_relaxed)) +
         static_cast<double>(sum[1].load(std::memory_order_relaxed)) / kMillionths;
}

MetricFamily& OwnMetrics::Add(OwnMetricKind kind, MetricOptions options) {
  families_.push_back(std::make_unique<MetricFamily>(families_.size(), kind, std::move(options)));
  return *families_.back();
}

CounterMetric OwnMetrics::Counter(MetricOptions options) {
  return CounterMetric(Add(OwnMetricKind::kCounter, std::move(options)));
}

GaugeMetric OwnMetrics::Gauge(MetricOptions options) {
  return GaugeMetric(Add(OwnMetricKind::kGauge, std::move(options)));
}

HistogramMetric OwnMetrics::Histogram(MetricOptions options) {
  return HistogramMetric(Add(OwnMetricKind::kHistogram, std::move(options)));
}

std::vector<std::string> OwnMetrics::Mistakes() const {
  std::vector<std::string> mistakes;
  std::map<std::string, int> names;
  for (const auto& family : families_) {
    MistakesOf(family->kind(), family->options(), mistakes);
    if (++names[family->options().name] == 2) {
      mistakes.push_back(
          absl::StrCat("metric \"", family->options().name, "\" is registered twice"));
    }
  }
  if (families_.size() > kOwnMetricsMax) {
    mistakes.push_back(absl::StrCat(families_.size(), " metrics; at most ", kOwnMetricsMax));
  }
  return mistakes;
}

void OwnMetrics::Attach(MetricCells& cells) const {
  for (const auto& family : families_) family->Attach(cells);
}

}  // namespace grove
