#include "server/function.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/handler/retry_delay.h"

namespace grove {
namespace {

constexpr char kNeverAgainType[] = "grove/never_again";
// Microseconds, if there is a bound, and the names: each on a line of its own.
constexpr char kSuspensionType[] = "grove/suspension";
constexpr absl::Duration kRetryAfterMax = absl::Hours(366 * 24);

constexpr std::string_view kDefaultTenant = "default";

absl::Status Suspension(absl::Duration at_most, const std::vector<std::string>& tasks) {
  absl::Status status = absl::AbortedError("the attempt has suspended itself");
  std::string text;
  if (at_most != absl::InfiniteDuration()) {
    const absl::Duration bound = std::clamp(at_most, absl::ZeroDuration(), kRetryAfterMax);
    absl::StrAppend(&text, absl::ToInt64Microseconds(bound));
  }
  for (const std::string& task : tasks) absl::StrAppend(&text, "\n", task);
  status.SetPayload(kSuspensionType, absl::Cord(text));
  return status;
}

}  // namespace

std::string_view WorkerServices::tenant() const {
  const Hub* const hub = Hub::Current();
  const Fiber* const running = hub == nullptr ? nullptr : hub->running();
  const FiberLabel* const label = running == nullptr ? nullptr : running->label();
  return label == nullptr || label->tenant.empty() ? kDefaultTenant : label->tenant;
}

absl::StatusOr<std::unique_ptr<InputStream>> TaskContext::OpenInput() {
  return MemoryInput(input());
}

absl::StatusOr<std::unique_ptr<OutputStream>> TaskContext::OpenOutput(std::string content_type) {
  return MemoryOutput(std::move(content_type));
}

absl::Status RetryAfter(absl::Duration delay, std::string_view why) {
  return http::WithRetryDelay(absl::UnavailableError(Abseil(why)),
                              std::clamp(delay, absl::ZeroDuration(), kRetryAfterMax));
}

absl::Status NeverAgain(std::string_view why) {
  absl::Status status = absl::FailedPreconditionError(Abseil(why));
  status.SetPayload(kNeverAgainType, absl::Cord());
  return status;
}

absl::Status SuspendFor(absl::Duration time) {
  return Suspension(std::min(time, kRetryAfterMax), {});
}

absl::Status SuspendUntilEnded(const std::vector<std::string>& tasks, absl::Duration at_most) {
  return Suspension(at_most, tasks);
}

std::optional<SuspensionRequest> SuspensionOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kSuspensionType);
  if (!payload) return std::nullopt;
  const std::string text(*payload);
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  SuspensionRequest asked;
  int64_t us = 0;
  if (absl::SimpleAtoi(lines[0], &us)) asked.at_most = absl::Microseconds(us);
  asked.tasks.assign(lines.begin() + 1, lines.end());
  return asked;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& error) {
  return http::RetryDelayOf(error);
}

bool IsNeverAgain(const absl::Status& error) {
  return error.GetPayload(kNeverAgainType).has_value();
}

}  // namespace grove
