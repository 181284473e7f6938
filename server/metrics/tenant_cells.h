// TenantCells: what the workers hold of a tenant's quotas between them, in shared memory.
//
// Each worker has a count of its own, which its death takes back (Scoreboard::Fold): one number
// that all raise and lower would keep what a killed worker had raised it by. Who comes in raises
// its own first and looks at all of them then, so that two that come at once see each other.
// Any process; a worker's own counts by its hub thread alone.
#ifndef GROVE_SERVER_METRICS_TENANT_CELLS_H_
#define GROVE_SERVER_METRICS_TENANT_CELLS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "server/config/limits.h"
#include "server/metrics/series.h"

namespace grove::metrics {

// Tenants that have quotas of HTTP since the daemon's start; each worker holds those of further
// ones by itself.
inline constexpr size_t kBoundTenantsMax = 16'384;

// By worker, the stand-in at the end.
class WorkerCounts {
 public:
  using Count = std::atomic<int32_t>;

  // Of the first `workers` and the stand-in.
  int64_t Sum(int workers) const;
  // Raises `worker`'s by one, unless all come to `max` already.
  bool Enter(int worker, int workers, int64_t max);
  // `worker` left one.
  void Leave(int worker) { counts_[worker].fetch_sub(1, std::memory_order_seq_cst); }
  Count& of(int worker) { return counts_[worker]; }
  const Count& of(int worker) const { return counts_[worker]; }

 private:
  std::array<Count, config::kWorkersMax + 1> counts_;
};

struct TenantCells {
  // Of the rate: tenancy::Gcra::full_at_ns() on CLOCK_MONOTONIC.
  std::atomic<int64_t> http_full_at_ns;
  // Refusals, by what was full.
  Cell refused_requests;
  Cell refused_rate;
  // Fetches that had to wait for their turn.
  Cell fetch_waits;
  WorkerCounts requests;
  WorkerCounts fetches;
  // Fetches that wait for a turn.
  WorkerCounts fetches_waiting;

  // The worker is dead.
  void Forget(int worker);
};

// By the tenant's number in SharedSeries::bound_tenants.
struct alignas(4096) AllTenantCells {
  std::array<TenantCells, kBoundTenantsMax> of;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_TENANT_CELLS_H_
