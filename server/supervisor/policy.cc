#include "server/supervisor/policy.h"

#include "runtime/repeat/backoff.h"

namespace grove::supervisor {

namespace {

bool IsLong(MonotonicNanos ready, MonotonicNanos now) {
  return ready != kNever && absl::Nanoseconds(now - ready) >= kQuickDeath;
}

// Behind so many others.
MonotonicNanos AfterPause(MonotonicNanos now, int pauses) {
  return DeadlineAfter(now, Backoff::Doubling(kBackoffMin, kBackoffMax).PauseAfter(pauses));
}

}  // namespace

MonotonicNanos RestartPolicy::NotStarted(MonotonicNanos now) {
  return AfterPause(now, history_.failed_starts++);
}

int RestartPolicy::QuickDeaths(MonotonicNanos now) const {
  return IsLong(history_.ready, now) ? 0 : history_.quick_deaths;
}

MonotonicNanos RestartPolicy::Died(MonotonicNanos now) {
  if (IsLong(history_.ready, now)) return Ended(now);
  history_.ready = kNever;
  const int deaths = ++history_.quick_deaths;
  if (deaths == 1) return now;
  return AfterPause(now, deaths - 2);
}

MonotonicNanos RestartPolicy::Ended(MonotonicNanos now) {
  history_.quick_deaths = QuickDeaths(now);
  history_.ready = kNever;
  return now;
}

}  // namespace grove::supervisor
