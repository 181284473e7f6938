#include "server/task_client.h"

#include <cstdint>
#include <string_view>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/switch/abseil_text.h"

namespace grove {
namespace {

constexpr std::string_view kReason = "grove.reason";
constexpr std::string_view kRetryAfter = "grove.retry_after_ms";

class RefusingTaskClient final : public TaskClient {
 public:
  absl::StatusOr<std::string> Spawn(SpawnRequest) override { return Refuse(); }
  std::vector<absl::StatusOr<std::string>> SpawnAll(std::vector<SpawnRequest> requests) override {
    return std::vector<absl::StatusOr<std::string>>(requests.size(), Refuse());
  }
  absl::StatusOr<TaskResult> Wait(std::string_view, absl::Duration) override { return Refuse(); }

 private:
  static absl::Status Refuse() {
    return WithReason(absl::UnavailableError("there is no control to spawn tasks"), "CONTROL_AWAY");
  }
};

}  // namespace

std::string ReasonOf(const absl::Status& status) {
  const auto reason = status.GetPayload(Abseil(kReason));
  return reason ? std::string(*reason) : "";
}

absl::Duration RetryDelayOf(const absl::Status& status) {
  int64_t ms = 0;
  const auto after = status.GetPayload(Abseil(kRetryAfter));
  if (!after || !absl::SimpleAtoi(std::string(*after), &ms)) return absl::ZeroDuration();
  return absl::Milliseconds(ms);
}

absl::Status WithReason(absl::Status status, std::string_view reason, absl::Duration retry_after) {
  status.SetPayload(Abseil(kReason), absl::Cord(Abseil(reason)));
  if (retry_after > absl::ZeroDuration()) {
    const int64_t ms = absl::ToInt64Milliseconds(retry_after);
    status.SetPayload(Abseil(kRetryAfter), absl::Cord(absl::StrCat(ms)));
  }
  return status;
}

TaskClient& NoTaskClient() {
  static RefusingTaskClient client;
  return client;
}

}  // namespace grove
