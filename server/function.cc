#include "server/function.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/handler/retry_delay.h"

namespace grove {
namespace {

constexpr char kNeverAgainType[] = "grove/never_again";
constexpr absl::Duration kRetryAfterMax = absl::Hours(366 * 24);

}  // namespace

absl::Status RetryAfter(absl::Duration delay, std::string_view why) {
  return http::WithRetryDelay(absl::UnavailableError(Abseil(why)),
                              std::clamp(delay, absl::ZeroDuration(), kRetryAfterMax));
}

absl::Status NeverAgain(std::string_view why) {
  absl::Status status = absl::FailedPreconditionError(Abseil(why));
  status.SetPayload(kNeverAgainType, absl::Cord());
  return status;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& error) {
  return http::RetryDelayOf(error);
}

bool IsNeverAgain(const absl::Status& error) {
  return error.GetPayload(kNeverAgainType).has_value();
}

}  // namespace grove
