#include "runtime/repeat/backoff.h"

#include <algorithm>
#include <random>

namespace grove {

Backoff Backoff::Doubling(absl::Duration first, absl::Duration max) {
  return Backoff({.first = first, .growth = 2, .jitter = 0, .min = first, .max = max});
}

absl::Duration Backoff::Next(double random) {
  const absl::Duration pause = Jittered(pause_, random);
  pause_ = Grown(pause_);
  return pause;
}

absl::Duration Backoff::PauseAfter(int64_t pauses, double random) const {
  absl::Duration pause = options_.first;
  for (; pauses > 0 && pause < options_.max; --pauses) {
    const absl::Duration grown = Grown(pause);
    if (grown == pause) break;  // it never grows
    pause = grown;
  }
  return Jittered(pause, random);
}

absl::Duration Backoff::Jittered(absl::Duration pause, double random) const {
  const double factor = 1 - options_.jitter + 2 * options_.jitter * random;
  return std::clamp(pause * factor, options_.min, options_.max);
}

absl::Duration Backoff::Grown(absl::Duration pause) const {
  return std::min(pause * options_.growth + options_.step, options_.max);
}

Random SeededRandom(uint64_t seed) {
  return [engine = std::mt19937_64(seed)]() mutable {
    return static_cast<double>(engine() >> 11) * 0x1p-53;  // the 53 bits that a double holds
  };
}

}  // namespace grove
