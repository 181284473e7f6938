#include "server/http/serving/taking_pace.h"

#include <algorithm>

namespace grove::http {

TakingPace::TakingPace(absl::Duration io_timeout, MonotonicNanos now)
    : io_timeout_(io_timeout), credit_(-Earned(kUnearnedBytes)), at_(now), quiet_since_(now) {}

absl::Duration TakingPace::Earned(int64_t bytes) const {
  return io_timeout_ * (static_cast<double>(bytes) / static_cast<double>(kTakenBytesMin));
}

// Asks nobody how much was taken by now: most waits are over before the first look, and cost no
// call.
void TakingPace::BeginWait(MonotonicNanos now) {
  looked_ = false;
  wait_began_ = quiet_since_ = now;
}

bool TakingPace::Look(MonotonicNanos now, const Seen& seen) {
  if (seen.taken > taken_) {
    // At the first look of a wait most of it was taken before that began.
    if (looked_) quiet_since_ = now;
    credit_ += Earned(seen.taken - taken_);
    taken_ = seen.taken;
  }
  if (!looked_) {
    credit_ = std::max(credit_ - absl::Nanoseconds(wait_began_ - at_), io_timeout_);
    at_ = wait_began_;
    looked_ = true;
  }
  credit_ = std::min(credit_, kPauseMax * io_timeout_) - absl::Nanoseconds(now - at_);
  at_ = now;
  if (!seen.answers && now >= DeadlineAfter(quiet_since_, io_timeout_)) return false;
  return credit_ > absl::ZeroDuration();
}

MonotonicNanos TakingPace::NextLook(MonotonicNanos now) const {
  const absl::Duration left = looked_ ? credit_ : io_timeout_;
  return DeadlineAfter(now, std::min(io_timeout_ / kLooksPerTimeout, left));
}

}  // namespace grove::http
