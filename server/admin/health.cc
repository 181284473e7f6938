#include "server/admin/health.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

namespace grove::admin {
namespace {

using metrics::SlotState;

const char* StateText(SlotState state) {
  switch (state) {
    case SlotState::kStarting:
      return "starting";
    case SlotState::kReady:
      return "ready";
    case SlotState::kDraining:
      return "draining";
    case SlotState::kEmpty:
    case SlotState::kDown:
      break;
  }
  return "down";
}

bool StandInServes(const metrics::Scoreboard& scoreboard, MonotonicNanos now) {
  const metrics::WorkerSlot& stand_in = scoreboard.stand_in();
  return stand_in.state.load() == SlotState::kReady && !scoreboard.IsStuck(stand_in, now);
}

// `linked`: whether control has its link, as far as that matters.
HealthCheck CheckWorker(const metrics::Scoreboard& scoreboard, int worker, bool linked,
                        MonotonicNanos now) {
  const metrics::WorkerSlot& slot = scoreboard.slot(worker);
  HealthCheck check{.name = absl::StrCat("worker-", worker)};
  const SlotState state = slot.state.load();
  if (scoreboard.IsStuck(slot, now)) {
    check.state = StuckText(slot, now);
  } else if (state == SlotState::kReady && !linked) {
    check.state = "not linked to control";
  } else {
    check.good = state == SlotState::kReady;
    check.state = StateText(state);
    const std::string restart = RestartText(slot, now);
    if (!restart.empty()) absl::StrAppend(&check.state, ": ", restart);
  }
  return check;
}

std::string Reason(int worker, const HealthCheck& check) {
  return absl::StrCat("worker ", worker, ": ", check.state);
}

HealthCheck CheckControl(const ReadinessInput& input) {
  const char* state = input.draining ? "draining" : input.serving ? "serving" : "starting";
  return {.name = "control", .good = input.serving && !input.draining, .state = state};
}

HealthCheck CheckStore(const ReadinessInput& input) {
  const bool good = input.store_failure.empty();
  return {.name = "store", .good = good, .state = good ? "ok" : input.store_failure};
}

}  // namespace

std::string RestartText(const metrics::WorkerSlot& slot, MonotonicNanos now) {
  std::vector<std::string> parts;
  const absl::Duration left = absl::Nanoseconds(slot.due_ns.load(std::memory_order_relaxed) - now);
  if (left > absl::ZeroDuration()) {
    parts.push_back(absl::StrFormat("restarts in %.1f s", absl::ToDoubleSeconds(left)));
  }
  // One death is forgiven: its successor is there before anybody reads of it.
  const int64_t deaths = slot.quick_deaths.load(std::memory_order_relaxed);
  if (deaths >= 2) {
    parts.push_back(absl::StrCat("died ", deaths, " times in a row (", slot.exits.LastText(), ")"));
  }
  return absl::StrJoin(parts, ", ");
}

std::string StuckText(const metrics::WorkerSlot& slot, MonotonicNanos now) {
  const MonotonicNanos age = now - slot.last_turn_ns.load();
  return absl::StrCat("stuck: its hub has not turned for ",
                      absl::ToInt64Seconds(absl::Nanoseconds(age)), " s");
}

Health CheckLive(const metrics::Scoreboard& scoreboard, MonotonicNanos now) {
  Health health;
  std::vector<std::string> stuck;
  bool turns = false;
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    if (scoreboard.slot(worker).state.load() == SlotState::kEmpty) continue;
    HealthCheck check = CheckWorker(scoreboard, worker, /*linked=*/true, now);
    const bool ready = scoreboard.slot(worker).state.load() == SlotState::kReady;
    if (ready && check.good) turns = true;
    if (ready && !check.good) stuck.push_back(Reason(worker, check));
    // One that boots, drains or is down is not dead.
    if (!ready && !scoreboard.IsStuck(worker, now)) check.good = true;
    health.checks.push_back(std::move(check));
  }
  if (turns || stuck.empty() || StandInServes(scoreboard, now)) return health;
  health.status = absl::UnavailableError(absl::StrJoin(stuck, "\n"));
  return health;
}

Health CheckReady(const metrics::Scoreboard& scoreboard, const ReadinessInput& input) {
  Health health{.checks = {CheckControl(input), CheckStore(input)}};
  std::vector<std::string> reasons = {"no worker can serve"};
  bool serves = StandInServes(scoreboard, input.now);
  for (int worker = 0; worker < scoreboard.workers(); ++worker) {
    // Scaled away, or to be started yet.
    if (scoreboard.slot(worker).state.load() == SlotState::kEmpty) continue;
    const size_t index = static_cast<size_t>(worker);
    const bool linked = index < input.linked.size() && input.linked[index];
    health.checks.push_back(CheckWorker(scoreboard, worker, linked, input.now));
    serves = serves || health.checks.back().good;
    reasons.push_back(Reason(worker, health.checks.back()));
  }
  if (!health.checks[0].good) {
    health.status = absl::UnavailableError(health.checks[0].state);
  } else if (!input.store_failure.empty()) {
    health.status =
        absl::UnavailableError(absl::StrCat("the task store fails: ", input.store_failure));
  } else if (!serves) {
    health.status = absl::UnavailableError(absl::StrJoin(reasons, "\n"));
  }
  return health;
}

}  // namespace grove::admin
