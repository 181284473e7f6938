#include "server/metrics/tenant_cells.h"

namespace grove::metrics {
namespace {

// Two that came at once saw each other where there was room for one, and both step back: each looks
// again, at other moments. After so many times somebody else does have it.
constexpr int kTriesMax = 8;

}  // namespace

int64_t WorkerCounts::Sum(int workers) const {
  int64_t sum = counts_.back().load(std::memory_order_seq_cst);
  for (int worker = 0; worker < workers; ++worker) {
    sum += counts_[worker].load(std::memory_order_seq_cst);
  }
  return sum;
}

bool WorkerCounts::Enter(int worker, int workers, int64_t max) {
  Count& own = counts_[worker];
  for (int i = 0; i < kTriesMax; ++i) {
    own.fetch_add(1, std::memory_order_seq_cst);
    if (Sum(workers) <= max) return true;
    own.fetch_sub(1, std::memory_order_seq_cst);
    if (Sum(workers) >= max) return false;
  }
  return false;
}

void TenantCells::Forget(int worker) {
  for (WorkerCounts* counts : {&requests, &fetches, &fetches_waiting}) {
    counts->of(worker).store(0, std::memory_order_seq_cst);
  }
}

}  // namespace grove::metrics
