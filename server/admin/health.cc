#include "server/admin/health.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace grove::admin {

absl::Status CheckLive(const metrics::Scoreboard& scoreboard, int64_t now_monotonic_ns) {
  std::vector<std::string> stuck;
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    const metrics::WorkerSlot& slot = scoreboard.slot(worker);
    if (slot.state.load() != metrics::SlotState::kReady) continue;
    const absl::Duration age = absl::Nanoseconds(now_monotonic_ns - slot.last_turn_ns.load());
    if (age <= kStuckAfter) return absl::OkStatus();
    stuck.push_back(absl::StrCat("worker ", worker, ": its hub has not turned for ",
                                 absl::ToInt64Seconds(age), " s"));
  }
  if (stuck.empty()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrJoin(stuck, "\n"));
}

absl::Status CheckReady(const metrics::Scoreboard& scoreboard, const ReadinessInput& input) {
  if (input.draining) return absl::UnavailableError("draining");
  if (!input.serving) return absl::UnavailableError("starting");
  bool any_ready = false;
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    if (scoreboard.slot(worker).state.load() != metrics::SlotState::kReady) continue;
    any_ready = true;
    const size_t index = static_cast<size_t>(worker);
    if (index < input.linked.size() && input.linked[index]) return absl::OkStatus();
  }
  return absl::UnavailableError(any_ready ? "no ready worker is linked to control"
                                          : "no worker is ready");
}

}  // namespace grove::admin
