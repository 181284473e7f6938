// PayloadTally: counts what becomes of payloads on the scoreboard, where it outlives this process.
//
// By tenant, within its bound; the rest together. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_PAYLOAD_TALLY_H_
#define GROVE_SERVER_CONTROL_PAYLOAD_TALLY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/metrics/series.h"
#include "server/metrics/shared_series.h"

namespace grove::control {

class PayloadTally {
 public:
  // It must outlive it.
  explicit PayloadTally(metrics::SharedSeries& series)
      : series_(series), tenants_(series.payloads.directory()) {}

  // `cell`: of metrics::PayloadCell.
  void Count(std::string_view tenant, size_t cell, int64_t more = 1) {
    Add(series_.payload_cells.of[tenants_.Find(tenant)][cell], more);
  }
  void CountRemoved() { Add(series_.payloads_removed, 1); }
  void CountSwept(int64_t files) { Add(series_.payloads_swept, files); }

 private:
  static void Add(metrics::Cell& cell, int64_t more) {
    cell.fetch_add(static_cast<uint64_t>(more), std::memory_order_relaxed);
  }

  metrics::SharedSeries& series_;
  metrics::SeriesIndex tenants_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_PAYLOAD_TALLY_H_
