// TableNumbers: how full the workers' shared table is, on the scoreboard.
//
// The supervisor writes them once in a while (Supervisor::LookAround): it has the table mapped, and
// control has not.
#ifndef GROVE_SERVER_METRICS_TABLE_NUMBERS_H_
#define GROVE_SERVER_METRICS_TABLE_NUMBERS_H_

#include <atomic>
#include <cstdint>

namespace grove::metrics {

struct TableNumbers {
  std::atomic<int64_t> rows_max;
  std::atomic<int64_t> rows;  // locks among them
  std::atomic<int64_t> locks;
  std::atomic<uint64_t> refusals;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_TABLE_NUMBERS_H_
