#include "server/functions/retry_after.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <optional>

#include "absl/strings/numbers.h"
#include "http/message/field.h"
#include "http/message/http_date.h"
#include "runtime/switch/abseil_text.h"

namespace grove::functions {
namespace {

// What a thoughtless server may say, and whoever takes it bounds further.
constexpr int64_t kSecondsMax = int64_t{366} * 24 * 3600;

}  // namespace

absl::Duration RetryAfterIn(const FetchResult& answer, absl::Time now) {
  for (const auto& [name, value] : answer.headers) {
    if (!http::EqualsIgnoreCase(name, "retry-after")) continue;
    int64_t seconds = 0;
    if (SimpleAtoi(value, &seconds)) {
      return absl::Seconds(std::clamp<int64_t>(seconds, 0, kSecondsMax));
    }
    const std::optional<std::time_t> date = http::ParseHttpDate(value, absl::ToTimeT(now));
    if (!date.has_value()) return absl::ZeroDuration();
    return std::clamp(absl::FromTimeT(*date) - now, absl::ZeroDuration(),
                      absl::Seconds(kSecondsMax));
  }
  return absl::ZeroDuration();
}

}  // namespace grove::functions
