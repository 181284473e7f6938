// Backoff: pauses between tries that grow, up to a longest one.
//
// A pause grows by a factor, by a step, or by both; jitter spreads what many would do at once.
// Pure: it reads no clock, and randomness comes from outside. A value.
#ifndef GROVE_RUNTIME_REPEAT_BACKOFF_H_
#define GROVE_RUNTIME_REPEAT_BACKOFF_H_

#include <cstdint>
#include <functional>

#include "absl/time/time.h"

namespace grove {

struct BackoffOptions {
  absl::Duration first = absl::Seconds(1);
  double growth = 1.5;                         // the next pause is so many times as long …
  absl::Duration step = absl::ZeroDuration();  // … and so much longer
  double jitter = 0.25;  // each pause is multiplied by something in [1 - jitter, 1 + jitter)
  absl::Duration min = absl::Milliseconds(1);
  absl::Duration max = absl::Minutes(5);
};

class Backoff {
 public:
  // What Next() and PauseAfter() take for a pause in the middle of the jitter.
  static constexpr double kNoJitter = 0.5;

  explicit Backoff(const BackoffOptions& options) : options_(options), pause_(options.first) {}
  // Twice as long each time, without jitter.
  static Backoff Doubling(absl::Duration first, absl::Duration max);

  // The next pause, within [min, max] whatever the jitter; the one after it is longer. `random` is
  // uniform in [0, 1).
  absl::Duration Next(double random = kNoJitter);
  // Starts anew with the first pause.
  void Reset() { pause_ = options_.first; }
  // The pause that follows `pauses` others, for who keeps that count and not a Backoff. Takes as
  // many steps as it takes to reach `max`.
  absl::Duration PauseAfter(int64_t pauses, double random = kNoJitter) const;

 private:
  absl::Duration Jittered(absl::Duration pause, double random) const;
  absl::Duration Grown(absl::Duration pause) const;

  BackoffOptions options_;
  absl::Duration pause_;
};

// Uniform in [0, 1).
using Random = std::function<double()>;
// The same numbers for the same seed.
Random SeededRandom(uint64_t seed);

}  // namespace grove

#endif  // GROVE_RUNTIME_REPEAT_BACKOFF_H_
