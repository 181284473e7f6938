// MetricFamilies: samples gathered under the rows of the MetricTable.
//
// Rendered in the table's order, families without samples left out. A name that is not in the
// table, or whose kind or labels are others, is a programming error. Values of labels may be any
// bytes: what is no UTF-8, which would cost the whole scrape, is replaced. The application's
// metrics (server/own_metrics.h) follow the table's.
#ifndef GROVE_SERVER_METRICS_FAMILIES_H_
#define GROVE_SERVER_METRICS_FAMILIES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "prometheus/metric_family.h"

namespace grove::metrics {

class MetricFamilies {
 public:
  MetricFamilies();

  // `values`: of the row's labels, in their order.
  void Add(std::string_view name, const std::vector<std::string>& values, double value);
  // `counts` has one entry for each bucket of the row and one for everything above; not cumulative.
  void AddHistogram(std::string_view name, const std::vector<std::string>& values,
                    absl::Span<const uint64_t> counts, double sum);

  // One that the table lacks, from now on. `bounds` must outlive this. False: there is one already.
  bool Declare(const std::string& name, const std::string& help, prometheus::MetricType type,
               std::vector<std::string> labels, absl::Span<const double> bounds);

  std::string Render() const;

 private:
  prometheus::ClientMetric& NewSample(std::string_view name, const std::vector<std::string>& values,
                                      bool histogram);

  std::vector<prometheus::MetricFamily> families_;
  std::vector<std::vector<std::string>> labels_;  // by family, as the next
  std::vector<absl::Span<const double>> bounds_;
  absl::flat_hash_map<std::string, size_t> by_name_;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_FAMILIES_H_
