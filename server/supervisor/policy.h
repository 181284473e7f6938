// RestartPolicy, ForkThrottle, BootPolicy: when a child that died is started again, and when to
// give up.
//
// Told the time of births, readiness and deaths, RestartPolicy says when the next process of a slot
// is due: at once after one that served for a moment, later and later where they die before or
// right after they serve, or cannot be started. That is what a crash loop is; a process that is
// killed now and then, however often, is not in one, and what it does not serve meanwhile is lost.
// BootPolicy counts deaths before readiness over all children, control included, until the daemon
// has served once, and says when it cannot come up at all: a daemon that never serves must not look
// like one that does. Reads no clock, starts and kills nothing.
#ifndef GROVE_SERVER_SUPERVISOR_POLICY_H_
#define GROVE_SERVER_SUPERVISOR_POLICY_H_

#include "runtime/hub/clock.h"

namespace grove::supervisor {

// Who dies before it is ready, or sooner than this after it, died quickly. Long enough for what a
// worker does wrong at its start, and a boot every two seconds is nothing.
inline constexpr absl::Duration kQuickDeath = absl::Seconds(2);
// The first quick death is forgiven; the second waits this long, every further one twice as long.
inline constexpr absl::Duration kBackoffMin = absl::Milliseconds(100);
inline constexpr absl::Duration kBackoffMax = absl::Seconds(10);
// Of all children together: a crash loop of many, whose back-offs know nothing of each other, must
// not be a fork bomb; and a boot of the most workers takes four seconds of it.
inline constexpr int kForksPerSecondMax = 64;
// Deaths before readiness, while the daemon has never served.
inline constexpr int kBootFailuresMax = 5;

// Of the processes of one slot.
struct RestartHistory {
  MonotonicNanos started = 0;     // the last one
  MonotonicNanos ready = kNever;  // since when it serves; kNever: not yet, or no more
  int quick_deaths = 0;           // in a row
  int failed_starts = 0;          // in a row: there was no process at all

  friend bool operator==(const RestartHistory&, const RestartHistory&) = default;
};

class RestartPolicy {
 public:
  RestartPolicy() = default;
  // Goes on with what another one has seen.
  explicit RestartPolicy(const RestartHistory& history) : history_(history) {}
  const RestartHistory& history() const { return history_; }

  void Started(MonotonicNanos now) {
    history_.started = now;
    history_.ready = kNever;
    history_.failed_starts = 0;
  }
  // It could not be started. When to try again: at the longest pause in the end.
  MonotonicNanos NotStarted(MonotonicNanos now);
  void Ready(MonotonicNanos now) { history_.ready = now; }
  MonotonicNanos started() const { return history_.started; }
  // How many died quickly in a row: none any more once this one has served for long enough.
  int QuickDeaths(MonotonicNanos now) const;
  // When the next process is due: `now` or later.
  MonotonicNanos Died(MonotonicNanos now);
  // The same of one that was told to end, which says nothing of those before it.
  MonotonicNanos Ended(MonotonicNanos now);

 private:
  RestartHistory history_;
};

// ForkThrottle: whether one more may be forked now.
class ForkThrottle {
 public:
  bool MayFork(MonotonicNanos now) const { return forks_ < kForksPerSecondMax || now >= NextAt(); }
  // When it may, if it may not now; else a time that has passed.
  MonotonicNanos NextAt() const { return forks_ < kForksPerSecondMax ? 0 : begin_ + kSecondNanos; }
  // Also of a fork that failed.
  void Forked(MonotonicNanos now) {
    if (now - begin_ >= kSecondNanos) {
      begin_ = now;
      forks_ = 0;
    }
    ++forks_;
  }

 private:
  static constexpr MonotonicNanos kSecondNanos = 1'000'000'000;
  MonotonicNanos begin_ = 0;
  int forks_ = 0;  // in the second that began then
};

class BootPolicy {
 public:
  void Served() { has_served_ = true; }
  // A child that never became ready has died. True: give up.
  bool DiedBeforeReady() { return ++failures_ >= kBootFailuresMax && !has_served_; }

 private:
  bool has_served_ = false;
  int failures_ = 0;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_POLICY_H_
