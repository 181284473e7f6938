#include "server/supervisor/policy.h"

#include "runtime/repeat/backoff.h"

namespace grove::supervisor {

MonotonicNanos RestartPolicy::Died(MonotonicNanos now) {
  if (ready_ != kNever && absl::Nanoseconds(now - ready_) >= kQuickDeath) {
    quick_deaths_ = 0;
    return now;
  }
  if (++quick_deaths_ == 1) return now;
  return DeadlineAfter(now,
                       Backoff::Doubling(kBackoffMin, kBackoffMax).PauseAfter(quick_deaths_ - 2));
}

}  // namespace grove::supervisor
