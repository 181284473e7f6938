#include "client/retries.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "client/status_details.h"

namespace grove::client {
namespace {

// The server says that it may be tried again, or the way to it broke.
bool MayPass(const absl::Status& failure, bool heard) {
  if (!absl::IsUnavailable(failure) && !absl::IsResourceExhausted(failure)) return false;
  if (RetryDelayOf(failure)) return true;
  if (IsFalseConnectFailure(failure)) return true;
  return heard && absl::IsUnavailable(failure) && !ErrorInfoOf(failure);
}

}  // namespace

bool IsFalseConnectFailure(const absl::Status& failure) {
  return absl::IsUnavailable(failure) && !ErrorInfoOf(failure) &&
         absl::StartsWith(failure.message(), "failed to connect") &&
         absl::StrContains(failure.message(), "No such file or directory") &&
         !absl::StrContains(failure.message(), "unix:");
}

std::optional<absl::Duration> Retries::After(const absl::Status& failure, bool heard,
                                             absl::Duration now) {
  if (!MayPass(failure, heard)) return std::nullopt;
  // Half of it at least: without any, those that were refused together would not spread.
  const absl::Duration own = pause_ * (0.5 + 0.5 * random_());
  pause_ = std::min(2 * pause_, kPauseMax);
  const absl::Duration asked = RetryDelayOf(failure).value_or(absl::ZeroDuration());
  // Not all at once, when it is over.
  const absl::Duration pause = std::max(own, asked + 0.1 * random_() * asked);
  if (now + pause >= end_) return std::nullopt;
  return pause;
}

}  // namespace grove::client
