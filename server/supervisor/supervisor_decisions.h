// Decide: what the supervisor does about a signal, a child's start, readiness or death, and time.
//
// The whole policy of the daemon as one function of what is and what happens: it starts what is
// due, drains and stops, replaces the workers one after the other, kills what overstays, and gives
// up a boot that cannot succeed. Where a worker that is to be replaced is the last that accepts
// connections, a stand-in accepts them before it stops, until the replacing is over. It reads no
// clock, sends nothing and logs nothing: what is to be done comes back as actions, in their order,
// which Supervisor carries out. Of a hub that does not turn, and of a boot that does not end, it
// says from when on that is too long.
#ifndef GROVE_SERVER_SUPERVISOR_SUPERVISOR_DECISIONS_H_
#define GROVE_SERVER_SUPERVISOR_SUPERVISOR_DECISIONS_H_

#include <sys/types.h>

#include <deque>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "server/process/exit_code.h"
#include "server/supervisor/policy.h"
#include "server/supervisor/standstill.h"

namespace grove::supervisor {

// Between the end of the drain, which every child observes itself, and SIGKILL: for control's last
// words with the workers, its store and its clients, one after the other, on a busy machine.
inline constexpr absl::Duration kKillGrace = absl::Seconds(5);
// A second SIGTERM counts as one only after so long.
inline constexpr absl::Duration kRepeatWindow = absl::Seconds(1);

// Between SIGABRT, whose report is bounded by itself (crash_report.h), and SIGKILL: for a stopped
// process to wake, and for a core file.
inline constexpr absl::Duration kReportGrace = absl::Seconds(5);

// How long a child may make no progress.
struct WatchLimits {
  absl::Duration stuck = absl::Seconds(5);
  absl::Duration stuck_kill = absl::Seconds(30);  // in all; infinite: never
  absl::Duration boot = absl::Seconds(60);
};

// How often to look at the hubs: none is found later than by half its time.
absl::Duration LookPeriod(const WatchLimits& limits);

// Children are known by their index: workers by slot, then control, then the stand-in.
inline constexpr int kNobody = -1;

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

struct SupervisorState {
  SupervisorState(int workers, absl::Duration drain, const WatchLimits& limits = {})
      : drain_timeout(drain), limits(limits), children(static_cast<size_t>(workers) + 2) {}

  int workers() const { return static_cast<int>(children.size()) - 2; }
  bool IsControl(int child) const { return child == workers(); }
  int stand_in() const { return workers() + 1; }
  bool IsStandIn(int child) const { return child == stand_in(); }
  // The worker that a reload replaces or is about to; kNobody: none.
  int BeingReplaced() const;
  // Nobody else would accept connections while that one is away.
  bool NeedsStandIn() const;
  bool Accepts(int child) const;
  bool AnyAlive() const;
  // The daemon is at its end: it stops, and no child is left.
  bool Over() const { return stopping && !AnyAlive(); }
  // When time alone will ask for something; kNever: at no time.
  MonotonicNanos NextDue() const;

  // Constant after construction.
  absl::Duration drain_timeout;
  WatchLimits limits;

  std::vector<ChildState> children;
  BootPolicy boot;
  bool announced = false;  // has served once
  bool stopping = false;
  MonotonicNanos stop_asked_at = 0;  // by the first signal that did
  int exit_code = process::kExitStopped;
  std::deque<int> to_roll;  // slots that a reload asked to replace
  int rolling = kNobody;    // the one that is away for it
};

// --- What happens

struct SignalCame {
  int number;
  MonotonicNanos now;
};
// What kPrepareReload asked for went well.
struct ReloadPrepared {};
// These workers have sockets that nobody can reach any more.
struct SocketsRemade {
  std::vector<int> workers;
};
// Another daemon has this one's directories.
struct DirectoryLost {
  MonotonicNanos now;
};
// What became of kStart. `hopeless`: no other start will go better.
struct ChildStarted {
  int child;
  pid_t pid;
  MonotonicNanos now;
};
struct StartFailed {
  int child;
  bool hopeless;
  MonotonicNanos now;
};
struct ChildReady {
  int child;
  MonotonicNanos now;
};
// A look at a child's hub, which turned last at `last_turn`.
struct HubSeen {
  int child;
  MonotonicNanos last_turn;
  MonotonicNanos now;
};
struct ChildDied {
  int child;
  int wait_status;
  MonotonicNanos now;
};
// To be told until it asks for nothing more: it starts one child at a time, since how that goes
// decides whether there is a next one.
struct TimePassed {
  MonotonicNanos now;
};
using SupervisorEvent =
    std::variant<SignalCame, ReloadPrepared, SocketsRemade, DirectoryLost, ChildStarted,
                 StartFailed, ChildReady, HubSeen, ChildDied, TimePassed>;

// --- What is to be done

enum class ActionKind {
  kStart,             // `child`; its outcome is an event
  kTellToEnd,         // `child`: SIGTERM
  kKill,              // `child`: SIGKILL, by a second signal
  kKillOverdue,       // `child`: SIGKILL, as it overstays
  kAbortStuck,        // `child`: SIGABRT, as its hub has not turned for `pause`
  kAbortBoot,         // `child`: SIGABRT, as it has not begun to serve for `pause`
  kKillAborted,       // `child`: SIGKILL, as SIGABRT did not end it
  kReopenLogs,        // `child`: SIGUSR1 goes on to it
  kPrepareReload,     // see whether new workers could serve; if so, ReloadPrepared
  kSayReplacing,      // the workers will be
  kStopServing,       // no connection is accepted any more
  kAnnounceServing,   // all are ready for the first time
  kSayGivingUp,       // the boot cannot succeed
  kSayRestartsLater,  // `child`, `pause` from now
  kSayStuck,          // `child`, whose hub has not turned for `pause`
  kSayTurnsAgain,     // `child`, which was stuck
};

struct Action {
  ActionKind kind;
  int child = kNobody;
  absl::Duration pause = absl::ZeroDuration();

  friend bool operator==(const Action&, const Action&) = default;
};

// Moves `state` on.
std::vector<Action> Decide(SupervisorState& state, const SupervisorEvent& event);

// Whether a SIGTERM comes within kRepeatWindow of what made the daemon stop: process groups and
// parents that forward signals send the same one twice, so it changes nothing. SIGINT is meant:
// Ctrl-C pressed again.
bool RepeatsItself(const SupervisorState& state, const SignalCame& came);

// Whether a child that was told to end ended so: with 0, or by a SIGTERM that came before it could
// handle it. Requires: `child` has not heard of its death.
bool EndedAsTold(const ChildState& child, int wait_status);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SUPERVISOR_DECISIONS_H_
