#include "runtime/repeat/retry.h"

#include <algorithm>

namespace grove {

RetryPauses::RetryPauses(const RetryOptions& options)
    : options_(options),
      pauses_({.first = options.pause_step,
               .growth = 1,
               .step = options.pause_step,
               .jitter = 0,
               .min = absl::ZeroDuration(),
               .max = options.pause_max}) {}

absl::Status RetryPauses::Validate() const {
  // Written so that a NaN fails, too.
  const bool sane = options_.retries_max >= RetryOptions::kForever && options_.jitter >= 0 &&
                    options_.jitter <= 1 && options_.pause_step >= absl::ZeroDuration() &&
                    options_.pause_max >= absl::ZeroDuration() &&
                    (options_.jitter == 0 || options_.random != nullptr);
  if (sane) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "a retry needs retries_max >= -1, pauses >= 0, jitter in [0, 1] and, with jitter, "
      "randomness");
}

bool RetryPauses::WorthRetrying(const absl::Status& failure) const {
  if (failure.ok()) return false;
  if (options_.retries_max != RetryOptions::kForever && retries_ >= options_.retries_max) {
    return false;
  }
  const auto& retried = options_.retried;
  return std::find(retried.begin(), retried.end(), failure.code()) != retried.end();
}

absl::Duration RetryPauses::Next() {
  ++retries_;
  const absl::Duration pause = pauses_.Next();
  if (options_.jitter == 0) return pause;
  // Upwards alone, and beyond pause_max, where a Backoff's spreads to both sides within its bounds.
  return pause * (1 + options_.jitter * options_.random());
}

}  // namespace grove
