// OriginCells: what the workers hold between them of the origins that tenants ask, in shared
// memory.
//
// A table of fixed size, by the fingerprint of a tenant and an origin. A cell is claimed when its
// origin is first asked, and goes to another one once it holds nothing that matters, so that any
// number of origins pass through. Each worker has a count of its own, as in TenantCells.
// Any process; a worker's own counts by its hub thread alone.
#ifndef GROVE_SERVER_METRICS_ORIGIN_CELLS_H_
#define GROVE_SERVER_METRICS_ORIGIN_CELLS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "server/metrics/tenant_cells.h"

namespace grove::metrics {

// With requests under way, or bounds in force, at one time. About a kilobyte each, once used.
inline constexpr size_t kOriginsMax = 8'192;
// Places where an origin's cell may be.
inline constexpr size_t kOriginPlaces = 16;
// After which a cell is given to another origin although something has failed there.
inline constexpr int64_t kOriginForgottenNs = 60'000'000'000;

// Times on CLOCK_MONOTONIC.
struct alignas(64) OriginCell {
  // Of the rate: tenancy::Gcra::full_at_ns().
  std::atomic<int64_t> full_at_ns;
  // The origin has said so (Retry-After).
  std::atomic<int64_t> not_before_ns;
  // The breaker: 0 is closed, a time to come open; after it one trial at a time.
  std::atomic<int64_t> open_until_ns;
  // Of the trial that is under way; its worker may have died.
  std::atomic<int64_t> trial_until_ns;
  // In a row: failures while it is closed, and openings.
  std::atomic<int32_t> failures;
  std::atomic<int32_t> openings;
  // When the last of those that were put off comes again.
  std::atomic<int64_t> turn_at_ns;
  // How long a request takes, about; 0: not known.
  std::atomic<int64_t> mean_ns;
  std::atomic<int64_t> used_ns;
  WorkerCounts running;
};

class alignas(4096) OriginCells {
 public:
  // The cell of `key`, which is not 0; null: all that it may have are in use. `workers` as of
  // WorkerCounts. Who has entered it looks at Holds() then: it may have become another's meanwhile.
  OriginCell* Find(uint64_t key, int workers, int64_t now_ns);
  bool Holds(const OriginCell& cell, uint64_t key) const;
  // The worker is dead.
  void Forget(int worker);
  // That hold an origin.
  size_t claimed() const;

 private:
  OriginCell* Look(uint64_t key);
  bool Claim(size_t place, uint64_t old, uint64_t key, int64_t now_ns);

  // Apart from the cells, so that looking for one touches no memory of others.
  std::array<std::atomic<uint64_t>, kOriginsMax> keys_;
  std::atomic<uint64_t> claims_;
  std::array<OriginCell, kOriginsMax> cells_;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_ORIGIN_CELLS_H_
