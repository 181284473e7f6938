// CheckLive, CheckReady: what the probes of the admin port answer.
//
// Live: some hub turns. A daemon whose ready workers are all stuck wants a restart, one stuck
// worker of several does not: the supervisor replaces it. Ready: send traffic here. Pure.
#ifndef GROVE_SERVER_ADMIN_HEALTH_H_
#define GROVE_SERVER_ADMIN_HEALTH_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/hub/clock.h"
#include "server/metrics/scoreboard.h"

namespace grove::admin {

// What was looked at for a probe. One that is not good need not make the answer bad: of many
// workers one may be stuck.
struct HealthCheck {
  std::string name;  // "control", "store", "worker-1"
  bool good = false;
  std::string state;  // "ready", "stuck: its hub has not turned for 12 s"
};

struct Health {
  // UNAVAILABLE with the reasons.
  absl::Status status;
  std::vector<HealthCheck> checks;
};

// Bad, naming the workers that are stuck, if all ready ones are.
Health CheckLive(const metrics::Scoreboard& scoreboard, MonotonicNanos now);

struct ReadinessInput {
  bool serving = false;
  bool draining = false;
  // Why durable tasks cannot be stored; empty: they can.
  std::string store_failure;
  // By worker.
  std::vector<bool> linked;
  MonotonicNanos now = 0;
};

// Bad unless control serves and does not drain, its store works, and a ready worker is linked and
// not stuck. A stand-in needs no link: it serves HTTP alone.
Health CheckReady(const metrics::Scoreboard& scoreboard, const ReadinessInput& input);

// "restarts in 3.2 s, died 5 times in a row (crash: exit code 1)"; empty: nobody waits to start it,
// and it does not keep dying.
std::string RestartText(const metrics::WorkerSlot& slot, MonotonicNanos now);

// "stuck: its hub has not turned for 12 s".
std::string StuckText(const metrics::WorkerSlot& slot, MonotonicNanos now);

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_HEALTH_H_
