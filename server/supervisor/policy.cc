#include "server/supervisor/policy.h"

#include <algorithm>

namespace grove::supervisor {

MonotonicNanos RestartPolicy::Died(MonotonicNanos now) {
  if (absl::Nanoseconds(now - started_) >= kQuickDeath) {
    quick_deaths_ = 0;
    return now;
  }
  if (++quick_deaths_ == 1) return now;
  // 2^20 * kBackoffMin is far beyond kBackoffMax and far from overflow.
  const int doublings = std::min(quick_deaths_ - 2, 20);
  return DeadlineAfter(now, std::min(kBackoffMin * (1 << doublings), kBackoffMax));
}

}  // namespace grove::supervisor
