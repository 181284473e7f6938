#include "runtime/hub/clock.h"

#include <ctime>

namespace grove {
namespace {

class MonotonicClock final : public Clock {
 public:
  MonotonicNanos Now() override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
  }
};

}  // namespace

Clock& Clock::Monotonic() {
  static MonotonicClock clock;
  return clock;
}

MonotonicNanos DeadlineAfter(MonotonicNanos now, absl::Duration after) {
  if (after <= absl::ZeroDuration()) return now;
  const int64_t nanos = absl::ToInt64Nanoseconds(after);  // saturates
  return nanos >= kNever - now ? kNever : now + nanos;
}

}  // namespace grove
