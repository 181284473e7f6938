// ExitReason: why a process of the daemon ended, as the log, the metrics and WorkerService name it.
#ifndef GROVE_SERVER_METRICS_EXIT_REASON_H_
#define GROVE_SERVER_METRICS_EXIT_REASON_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace grove::metrics {

// Numbers stand in the scoreboard: new ones go to the end.
enum class ExitReason {
  kCrash,        // a signal of its own fault, or an exit code that is not 0
  kSignal,       // somebody else's signal
  kOutOfMemory,  // the kernel's, by the count of its cgroup
  kStuck,        // killed by the supervisor: its hub did not turn
  kBootTimeout,  // the same: it was not ready in time
  kBootFailure,  // with an exit code, before it was ready
  kOverdue,      // killed: it did not end when told to
  kReload,       // from here on as told
  kRestart,
  kScale,
  kMaxRequests,
  kMaxAge,
  kMaxRss,
  kUpgrade,
  kStop,
};

inline constexpr std::array<std::string_view, 15> kExitReasonNames = {
    "crash",        "signal",  "out_of_memory", "stuck",   "boot_timeout",
    "boot_failure", "overdue", "reload",        "restart", "scale",
    "max_requests", "max_age", "max_rss",       "upgrade", "stop"};

constexpr std::string_view NameOf(ExitReason reason) {
  return kExitReasonNames[static_cast<size_t>(reason)];
}

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_EXIT_REASON_H_
