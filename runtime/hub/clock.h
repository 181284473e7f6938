// Clock: monotonic time for hubs, and Deadline: a point on it.
//
// A hub reads its clock once per turn, so time stands still while fibers of one turn run.
// Nothing here follows wall-clock changes (CLOCK_MONOTONIC).
#ifndef GROVE_RUNTIME_HUB_CLOCK_H_
#define GROVE_RUNTIME_HUB_CLOCK_H_

#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace grove {

// Nanoseconds since an arbitrary start.
using MonotonicNanos = int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicNanos Now() = 0;

  // The kernel's CLOCK_MONOTONIC. Lives for ever; any thread.
  static Clock& Monotonic();
};

inline constexpr MonotonicNanos kNever = std::numeric_limits<MonotonicNanos>::max();

// `now + after`, saturating; a negative `after` is `now`.
MonotonicNanos DeadlineAfter(MonotonicNanos now, absl::Duration after);

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_CLOCK_H_
