// Standstill: for how long a process has been seen to make no progress.
//
// Told now and then how far the process is, it adds up the time in which that did not change. Where
// nobody looked for long, only a part counts: a supervisor that stood still itself (a frozen
// container, a stopped process group) must not find everybody else stuck. Reads no clock.
#ifndef GROVE_SERVER_SUPERVISOR_STANDSTILL_H_
#define GROVE_SERVER_SUPERVISOR_STANDSTILL_H_

#include <algorithm>

#include "absl/time/time.h"
#include "runtime/hub/clock.h"

namespace grove::supervisor {

// Between two looks this counts at the most: a busy machine may delay one.
inline constexpr absl::Duration kLookGapMax = absl::Seconds(3);

class Standstill {
 public:
  // From here on.
  void Begin(MonotonicNanos now, MonotonicNanos last_progress) {
    looked_ = now;
    last_progress_ = last_progress;
    still_ = absl::ZeroDuration();
  }

  // How long there has been none.
  absl::Duration Look(MonotonicNanos now, MonotonicNanos last_progress) {
    const absl::Duration gap = std::min(absl::Nanoseconds(now - looked_), kLookGapMax);
    const bool moved = last_progress != last_progress_;
    still_ = moved ? std::min(gap, absl::Nanoseconds(now - last_progress)) : still_ + gap;
    looked_ = now;
    last_progress_ = last_progress;
    return still_;
  }

 private:
  MonotonicNanos looked_ = 0;
  MonotonicNanos last_progress_ = 0;
  absl::Duration still_;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_STANDSTILL_H_
