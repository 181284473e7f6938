// FakeClock: a clock that moves only when told. Tests.
#ifndef GROVE_RUNTIME_HUB_FAKE_CLOCK_H_
#define GROVE_RUNTIME_HUB_FAKE_CLOCK_H_

#include "runtime/hub/clock.h"

namespace grove {

class FakeClock final : public Clock {
 public:
  MonotonicNanos Now() override { return now_; }
  void Advance(absl::Duration by) { now_ += absl::ToInt64Nanoseconds(by); }
  void AdvanceTo(MonotonicNanos now) { now_ = now; }

 private:
  MonotonicNanos now_ = 1'000'000'000;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_FAKE_CLOCK_H_
