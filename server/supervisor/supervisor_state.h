// SupervisorState: what the supervisor knows of its children, and of what is being done with them.
//
// Decide() moves it on (supervisor_decisions.h); the rest reads it.
#ifndef GROVE_SERVER_SUPERVISOR_SUPERVISOR_STATE_H_
#define GROVE_SERVER_SUPERVISOR_SUPERVISOR_STATE_H_

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "server/config/limits.h"
#include "server/metrics/exit_reason.h"
#include "server/process/exit_code.h"
#include "server/supervisor/operations.h"
#include "server/supervisor/policy.h"
#include "server/supervisor/standstill.h"

namespace grove::supervisor {

// How long a child may make no progress.
struct WatchLimits {
  absl::Duration stuck = absl::Seconds(5);
  absl::Duration stuck_kill = absl::Seconds(30);  // in all; infinite: never
  absl::Duration boot = absl::Seconds(60);
};

// When a worker is replaced by another one of the same, as leaks and fragments are cured; 0: never.
struct RecycleBounds {
  int64_t requests = 0;  // HTTP's and attempts
  absl::Duration age = absl::ZeroDuration();
  int64_t rss_bytes = 0;
  // Each worker's bound is lower by a random part of it, up to this.
  int jitter_percent = 0;
};

// How often to look at the hubs: none is found later than by half its time.
absl::Duration LookPeriod(const WatchLimits& limits);

// Children are known by their index: workers by slot, and behind all that there can be the two
// others, whose place does not depend on how many workers there are.
inline constexpr int kNobody = -1;
inline constexpr int kStandIn = config::kWorkersMax;
inline constexpr int kControl = kStandIn + 1;
inline constexpr int kChildren = kControl + 1;

// "grove-w3", "grove-control": its title, and its name in the log.
std::string ChildName(int child);

struct ChildState {
  pid_t pid = 0;  // 0: none runs
  bool ready = false;
  bool told_to_end = false;
  RestartPolicy policy;
  MonotonicNanos due = 0;           // of the next process, while none runs
  MonotonicNanos kill_at = kNever;  // once told to end, or aborted
  Standstill standstill;            // of its boot, then of its hub
  bool stuck = false;               // and that was said
  bool aborted = false;
  bool overdue = false;  // killed, as it overstayed
  // Of one that was told to end.
  metrics::ExitReason told_for = metrics::ExitReason::kStop;
  double jitter = 0;  // of its bounds, from 0 to 1: how much of what is possible
};

// The replacing of children that an operation has asked for.
struct Roll {
  int64_t operation = 0;  // 0: none is under way
  metrics::ExitReason reason = metrics::ExitReason::kRestart;
  std::deque<int> to_replace;  // slots
  std::vector<int> away;       // slots that were told to end, until their successors are ready
  bool control = false;        // it is to be replaced too, after the workers
  bool control_away = false;
  bool all_at_once = false;  // what is left to replace
  // A new program, for which nobody is told to end yet: its stand-in has to serve first, then
  // control is replaced and has to serve too.
  bool proves = false;
  int failures = 0;      // starts for it that came to nothing, in a row
  std::string in_place;  // what the operation has done beside it

  bool AnyWorker() const { return !to_replace.empty() || !away.empty(); }
  bool Over() const { return !AnyWorker() && !control && !control_away; }
  bool Has(int slot) const;
};

struct SupervisorState {
  SupervisorState(int workers, absl::Duration drain, const WatchLimits& limits = {})
      : drain_timeout(drain), limits(limits), wanted(workers), scaled_from(workers) {}

  // Slots below serve; others drain, or are empty.
  int workers() const { return wanted; }
  // Whether a process of that place is to run, a stand-in apart.
  bool Wanted(int child) const { return child == kControl || child < wanted; }
  // For which worker the stand-in accepts.
  bool NeedsStandIn() const;
  bool Accepts(int child) const;
  bool AnyWorkerAccepts() const;
  bool AnyAlive() const;
  // A wanted worker that runs and does not serve yet.
  bool AnyWorkerBoots() const;
  // The daemon is at its end: it stops, and no child is left.
  bool Over() const { return stopping && !AnyAlive(); }
  // When time alone will ask for something; kNever: at no time.
  MonotonicNanos NextDue() const;

  absl::Duration drain_timeout;
  WatchLimits limits;
  RecycleBounds recycle;
  MonotonicNanos recycle_again = 0;  // not before

  std::vector<ChildState> children{static_cast<size_t>(kChildren)};
  int wanted;       // workers
  int scaled_from;  // as it was before the last change
  Operations operations;
  Roll roll;
  BootPolicy boot;
  ForkThrottle forks;
  bool announced = false;  // has served once
  bool stopping = false;
  bool at_once = false;              // and nobody is waited for
  MonotonicNanos stop_asked_at = 0;  // by the first signal that did
  int exit_code = process::kExitStopped;
};

// Whether a child that was told to end ended so: with 0, or by a SIGTERM that came before it could
// handle it. Requires: `child` has not heard of its death.
bool EndedAsTold(const ChildState& child, int wait_status);
// Why it ended. Requires the same. `out_of_memory`: the kernel has killed somebody for memory since
// it was asked last.
metrics::ExitReason ReasonOf(const ChildState& child, int wait_status, bool out_of_memory);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SUPERVISOR_STATE_H_
