#include "server/metrics/own_series.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::metrics {
namespace {

constexpr char kSeparator = '\x1f';

std::string_view TextOf(const OwnMetricEntry& entry) {
  const uint32_t bytes = entry.bytes.load(std::memory_order_acquire);
  return {entry.text, std::min<size_t>(bytes, kOwnDeclarationBytesMax)};
}

std::optional<OwnMetric> Decode(std::string_view text) {
  const std::vector<std::string> lines = absl::StrSplit(Abseil(text), '\n');
  int kind = 0;
  if (lines.size() != 6 || !SimpleAtoi(lines[0], &kind)) return std::nullopt;
  OwnMetric metric;
  metric.kind = static_cast<OwnMetricKind>(kind);
  metric.options.name = lines[1];
  metric.options.help = lines[2];
  metric.options.labels = absl::StrSplit(lines[3], ',', absl::SkipEmpty());
  for (const auto bound : absl::StrSplit(lines[4], ',', absl::SkipEmpty())) {
    double number = 0;
    if (!absl::SimpleAtod(bound, &number)) return std::nullopt;
    metric.options.buckets.push_back(number);
  }
  metric.options.largest = lines[5] == "1";
  return metric;
}

}  // namespace

std::string EncodeOwnMetric(OwnMetricKind kind, const MetricOptions& options) {
  // Shortest texts that are the same numbers again: what a bound is called.
  const auto bound = [](std::string* out, double number) {
    char text[32];
    for (int digits = 6; digits <= 17; ++digits) {
      snprintf(text, sizeof(text), "%.*g", digits, number);
      if (strtod(text, nullptr) == number) break;
    }
    out->append(text);
  };
  return StrCat(static_cast<int>(kind), "\n", options.name, "\n", options.help, "\n",
                absl::StrJoin(options.labels, ","), "\n",
                absl::StrJoin(options.buckets, ",", bound), "\n", options.largest ? 1 : 0);
}

std::vector<OwnMetric> ReadOwnMetrics(const OwnSeriesNames& names) {
  std::vector<OwnMetric> metrics;
  for (uint32_t number = 0; number < kOwnTableMax; ++number) {
    const OwnMetricEntry& entry = names.table[number];
    const std::string_view text = TextOf(entry);
    if (text.empty()) break;
    if (entry.shown.load(std::memory_order_relaxed) == 0) continue;
    std::optional<OwnMetric> metric = Decode(text);
    if (!metric.has_value()) continue;
    metric->number = number;
    metrics.push_back(*std::move(metric));
  }
  std::sort(metrics.begin(), metrics.end(),
            [](const OwnMetric& a, const OwnMetric& b) { return a.options.name < b.options.name; });
  return metrics;
}

uint32_t FindOwnMetric(OwnMetricKind kind, const MetricOptions& options,
                       const OwnSeriesNames& names) {
  const std::string wanted = EncodeOwnMetric(kind, options);
  for (uint32_t number = 0; number < kOwnTableMax; ++number) {
    const std::string_view text = TextOf(names.table[number]);
    if (text.empty()) break;
    if (text == wanted) return number;
  }
  return kOwnTableMax;
}

bool DeclareOwnMetrics(const OwnMetrics& metrics, OwnSeriesNames& names) {
  for (OwnMetricEntry& entry : names.table) {
    if (entry.bytes.load(std::memory_order_relaxed) == 0) break;
    entry.shown.store(0, std::memory_order_relaxed);
  }
  bool room = true;
  for (const auto& family : metrics.families()) {
    uint32_t number = FindOwnMetric(family->kind(), family->options(), names);
    if (number < kOwnTableMax) {
      names.table[number].shown.store(1, std::memory_order_relaxed);
      continue;
    }
    const auto free =
        std::find_if(names.table.begin(), names.table.end(), [](const OwnMetricEntry& entry) {
          return entry.bytes.load(std::memory_order_relaxed) == 0;
        });
    const std::string text = EncodeOwnMetric(family->kind(), family->options());
    if (free == names.table.end() || text.size() > kOwnDeclarationBytesMax) {
      room = false;
      continue;
    }
    memcpy(free->text, text.data(), text.size());
    free->shown.store(1, std::memory_order_relaxed);
    free->bytes.store(static_cast<uint32_t>(text.size()), std::memory_order_release);
  }
  return room;
}

std::string OwnKeyPrefix(uint32_t number) {
  return StrCat(number, std::string_view(&kSeparator, 1));
}

std::vector<std::string> OwnKeyValues(std::string_view rest, size_t labels) {
  std::vector<std::string> values;
  if (labels == 0) return values;
  for (const auto value : absl::StrSplit(Abseil(rest), kSeparator)) values.emplace_back(value);
  values.resize(labels);
  return values;
}

void FoldOwn(OwnSeriesCells& from, OwnSeriesCells& dead, const OwnSeriesNames& names) {
  const auto claimed = [](const auto& of) {
    return of.count.claimed.load(std::memory_order_acquire);
  };
  FoldCells(from.counters, dead.counters, claimed(names.counters));
  FoldCells(from.histograms, dead.histograms, claimed(names.histograms));
  const uint32_t gauges = claimed(names.gauges);
  for (uint32_t number = 0; number <= gauges && number < kOwnGaugeSeriesMax; ++number) {
    from.gauges.of[number][0].store(0, std::memory_order_relaxed);
  }
}

}  // namespace grove::metrics
