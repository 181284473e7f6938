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
};

// The replacing of children that an operation has asked for.
struct Roll {
  int64_t operation = 0;       // 0: none is under way
  std::deque<int> to_replace;  // slots
  std::vector<int> away;       // slots that were told to end, until their successors are ready
  bool control = false;        // it is to be replaced too, after the workers
  bool control_away = false;
  bool all_at_once = false;  // what is left to replace
  int failures = 0;          // starts for it that came to nothing, in a row

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

  std::vector<ChildState> children{static_cast<size_t>(kChildren)};
  int wanted;       // workers
  int scaled_from;  // as it was before the last change
  Operations operations;
  Roll roll;
  BootPolicy boot;
  bool announced = false;  // has served once
  bool stopping = false;
  bool at_once = false;              // and nobody is waited for
  MonotonicNanos stop_asked_at = 0;  // by the first signal that did
  int exit_code = process::kExitStopped;
};

// Whether a child that was told to end ended so: with 0, or by a SIGTERM that came before it could
// handle it. Requires: `child` has not heard of its death.
bool EndedAsTold(const ChildState& child, int wait_status);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SUPERVISOR_STATE_H_
