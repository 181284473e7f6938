// CheckLive, CheckReady: what the probes of the admin port answer.
//
// Live: some hub turns. A daemon whose ready workers are all stuck wants a restart, one stuck
// worker of several does not. Ready: send traffic here. Pure.
#ifndef GROVE_SERVER_ADMIN_HEALTH_H_
#define GROVE_SERVER_ADMIN_HEALTH_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/metrics/scoreboard.h"

namespace grove::admin {

// A hub that waits for nothing still turns every second, for its numbers. Ten times that is no
// delay by load.
inline constexpr absl::Duration kStuckAfter = absl::Seconds(10);

// UNAVAILABLE naming the workers whose hubs do not turn, if none of the ready ones' does.
absl::Status CheckLive(const metrics::Scoreboard& scoreboard, int64_t now_monotonic_ns);

struct ReadinessInput {
  bool serving = false;
  bool draining = false;
  // By worker.
  std::vector<bool> linked;
};

// UNAVAILABLE with the reason unless control serves, does not drain, and a ready worker is linked.
absl::Status CheckReady(const metrics::Scoreboard& scoreboard, const ReadinessInput& input);

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_HEALTH_H_
