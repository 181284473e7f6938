#include "server/control/audience.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

struct Text {
  std::string_view reason;
  std::string_view for_tenants;
};

// Those whose texts have numbers, paths or names of the whole daemon.
constexpr Text kTexts[] = {
    {"TASK_MEMORY_FULL", "the daemon's memory for tasks is full"},
    {"STORE_BUSY", "too many writes wait for the daemon's disk"},
    {"STORE_FULL", "no durable task is taken now: the daemon's disk is full"},
    {"STORE_UNAVAILABLE", "durable tasks cannot be stored now"},
    {"TOO_MANY_WAITS", "calls wait for too many tasks of this daemon"},
    {"WORKER_NOT_FOUND", "there is no such worker"},
};

}  // namespace

absl::Status ForAudience(const tenancy::Principal& caller, const absl::Status& status) {
  if (status.ok() || caller.is_operator()) return status;
  const std::string reason = tasks::RefusalReason(status);
  for (const Text& text : kTexts) {
    if (text.reason != reason) continue;
    absl::Status said = tasks::Refusal(status.code(), reason, text.for_tenants);
    if (status.GetPayload(Abseil(tasks::kQuotaFailureType))) {
      said = tasks::WithQuotaFailure(std::move(said), "daemon", text.for_tenants);
    }
    if (const auto retry = status.GetPayload(Abseil(tasks::kRetryInfoType))) {
      said.SetPayload(Abseil(tasks::kRetryInfoType), *retry);
    }
    return said;
  }
  return status;
}

}  // namespace grove::control
