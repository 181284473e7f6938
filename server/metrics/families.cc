#include "server/metrics/families.h"

#include <limits>
#include <sstream>
#include <string_view>
#include <utility>

#include "absl/strings/str_split.h"
#include "http/message/utf8.h"
#include "prometheus/text_serializer.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "server/metrics/metric_table.h"

namespace grove::metrics {
namespace {

prometheus::MetricType TypeOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

// With U+FFFD for every byte that belongs to no character.
std::string AsUtf8(const std::string& text) {
  if (http::IsUtf8(text)) return text;
  std::string fixed;
  for (size_t at = 0; at < text.size();) {
    size_t bytes = 1;
    while (bytes <= 4 && !http::IsUtf8(std::string_view(text).substr(at, bytes))) ++bytes;
    const bool whole = bytes <= 4 && at + bytes <= text.size();
    fixed += whole ? text.substr(at, bytes) : "\xef\xbf\xbd";
    at += whole ? bytes : 1;
  }
  return fixed;
}

}  // namespace

MetricFamilies::MetricFamilies() {
  for (const MetricRow& row : MetricTable()) {
    by_name_[std::string(row.name)] = families_.size();
    prometheus::MetricFamily& family = families_.emplace_back();
    family.name = std::string(row.name);
    family.help = std::string(row.help);
    family.type = TypeOf(row.kind);
    bounds_.push_back(row.buckets);
    labels_.push_back(absl::StrSplit(Abseil(row.labels), ',', absl::SkipEmpty()));
  }
}

bool MetricFamilies::Declare(const std::string& name, const std::string& help,
                             prometheus::MetricType type, std::vector<std::string> labels,
                             absl::Span<const double> bounds) {
  if (!by_name_.emplace(name, families_.size()).second) return false;
  prometheus::MetricFamily& family = families_.emplace_back();
  family.name = name;
  family.help = help;
  family.type = type;
  bounds_.push_back(bounds);
  labels_.push_back(std::move(labels));
  return true;
}

prometheus::ClientMetric& MetricFamilies::NewSample(std::string_view name,
                                                    const std::vector<std::string>& values,
                                                    bool histogram) {
  auto found = by_name_.find(Abseil(name));
  GROVE_CHECK(found != by_name_.end(), "a metric that the table lacks");
  prometheus::MetricFamily& family = families_[found->second];
  const std::vector<std::string>& labels = labels_[found->second];
  GROVE_CHECK(labels.size() == values.size(), "a sample with other labels than its row");
  GROVE_CHECK(histogram == (family.type == prometheus::MetricType::Histogram),
              "a sample of another kind than its row");
  prometheus::ClientMetric& sample = family.metric.emplace_back();
  for (size_t i = 0; i < labels.size(); ++i) sample.label.push_back({labels[i], AsUtf8(values[i])});
  return sample;
}

void MetricFamilies::Add(std::string_view name, const std::vector<std::string>& values,
                         double value) {
  prometheus::ClientMetric& sample = NewSample(name, values, /*histogram=*/false);
  sample.counter.value = value;  // The family's type decides which of the two is rendered.
  sample.gauge.value = value;
}

void MetricFamilies::AddHistogram(std::string_view name, const std::vector<std::string>& values,
                                  absl::Span<const uint64_t> counts, double sum) {
  const absl::Span<const double> bounds = bounds_[by_name_.at(Abseil(name))];
  GROVE_CHECK(counts.size() == bounds.size() + 1, "a histogram of other buckets than its row's");
  prometheus::ClientMetric& sample = NewSample(name, values, /*histogram=*/true);
  uint64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    sample.histogram.bucket.push_back({total, bound});
  }
  sample.histogram.sample_count = total;
  sample.histogram.sample_sum = sum;
}

std::string MetricFamilies::Render() const {
  std::vector<prometheus::MetricFamily> shown;
  for (const prometheus::MetricFamily& family : families_) {
    if (!family.metric.empty()) shown.push_back(family);
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, shown);
  return std::move(out).str();
}

}  // namespace grove::metrics
