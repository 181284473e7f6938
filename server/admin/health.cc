#include "server/admin/health.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

namespace grove::admin {
namespace {

std::string StuckText(const metrics::Scoreboard& scoreboard, int worker, MonotonicNanos now) {
  const MonotonicNanos age = now - scoreboard.slot(worker).last_turn_ns.load();
  return absl::StrCat("worker ", worker, ": stuck: its hub has not turned for ",
                      absl::ToInt64Seconds(absl::Nanoseconds(age)), " s");
}

const char* StateText(metrics::SlotState state) {
  switch (state) {
    case metrics::SlotState::kStarting:
      return "starting";
    case metrics::SlotState::kReady:
      return "not linked to control";
    case metrics::SlotState::kDraining:
      return "draining";
    case metrics::SlotState::kEmpty:
    case metrics::SlotState::kDown:
      break;
  }
  return "down";
}

bool StandInServes(const metrics::Scoreboard& scoreboard, MonotonicNanos now) {
  const metrics::WorkerSlot& stand_in = scoreboard.stand_in();
  return stand_in.state.load() == metrics::SlotState::kReady && !scoreboard.IsStuck(stand_in, now);
}

}  // namespace

absl::Status CheckLive(const metrics::Scoreboard& scoreboard, MonotonicNanos now) {
  std::vector<std::string> stuck;
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    if (scoreboard.slot(worker).state.load() != metrics::SlotState::kReady) continue;
    if (!scoreboard.IsStuck(worker, now)) return absl::OkStatus();
    stuck.push_back(StuckText(scoreboard, worker, now));
  }
  if (stuck.empty() || StandInServes(scoreboard, now)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrJoin(stuck, "\n"));
}

absl::Status CheckReady(const metrics::Scoreboard& scoreboard, const ReadinessInput& input) {
  if (input.draining) return absl::UnavailableError("draining");
  if (!input.serving) return absl::UnavailableError("starting");
  if (!input.store_failure.empty()) {
    return absl::UnavailableError(absl::StrCat("the task store fails: ", input.store_failure));
  }
  if (StandInServes(scoreboard, input.now)) return absl::OkStatus();
  std::vector<std::string> reasons = {"no worker can serve"};
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    const metrics::SlotState state = scoreboard.slot(worker).state.load();
    const size_t index = static_cast<size_t>(worker);
    const bool linked = index < input.linked.size() && input.linked[index];
    if (scoreboard.IsStuck(worker, input.now)) {
      reasons.push_back(StuckText(scoreboard, worker, input.now));
    } else if (state == metrics::SlotState::kReady && linked) {
      return absl::OkStatus();
    } else {
      reasons.push_back(absl::StrCat("worker ", worker, ": ", StateText(state)));
    }
  }
  return absl::UnavailableError(absl::StrJoin(reasons, "\n"));
}

}  // namespace grove::admin
