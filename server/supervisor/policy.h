// RestartPolicy, ForkThrottle, BootPolicy: when a child that died is started again, and when to
// give up.
//
// Told the time of births, readiness and deaths, RestartPolicy says when the next process of a slot
// is due: at once after one that served for a moment, later and later where they die before or
// right after they serve. That is what a crash loop is; a process that is killed now and then,
// however often, is not in one, and what it does not serve meanwhile is lost. BootPolicy counts
// deaths before readiness over all children, control included, until the daemon has served once,
// and says when it cannot come up at all: a daemon that never serves must not look like one that
// does. Reads no clock, starts and kills nothing.
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

class RestartPolicy {
 public:
  void Started(MonotonicNanos now) {
    started_ = now;
    ready_ = kNever;
  }
  void Ready(MonotonicNanos now) { ready_ = now; }
  MonotonicNanos started() const { return started_; }
  // When the next process is due: `now` or later.
  MonotonicNanos Died(MonotonicNanos now);

 private:
  MonotonicNanos started_ = 0;
  MonotonicNanos ready_ = kNever;
  int quick_deaths_ = 0;  // in a row
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
