// Decide: what the supervisor does about a signal, a child's start, readiness or death, and time.
//
// The whole policy of the daemon as one function of what is and what happens: it starts what is
// due, drains and stops, carries operations out (operation_decisions.cc), kills what overstays, and
// gives up a boot that cannot succeed. It reads no clock, sends nothing and logs nothing: what is
// to be done comes back as actions, in their order, which Supervisor carries out. Of a hub that
// does not turn, and of a boot that does not end, it says from when on that is too long.
#ifndef GROVE_SERVER_SUPERVISOR_SUPERVISOR_DECISIONS_H_
#define GROVE_SERVER_SUPERVISOR_SUPERVISOR_DECISIONS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "server/supervisor/operations.h"
#include "server/supervisor/supervisor_state.h"

namespace grove::supervisor {

// Between the end of the drain, which every child observes itself, and SIGKILL: for control's last
// words with the workers, its store and its clients, one after the other, on a busy machine. Also
// what control has to hand over to its successor.
inline constexpr absl::Duration kKillGrace = absl::Seconds(5);
// A second SIGTERM counts as one only after so long.
inline constexpr absl::Duration kRepeatWindow = absl::Seconds(1);

// Between SIGABRT, whose report is bounded by itself (crash_report.h), and SIGKILL: for a stopped
// process to wake, and for a core file.
inline constexpr absl::Duration kReportGrace = absl::Seconds(5);
// An operation fails with the children that it starts, once that many came to nothing in a row: the
// first may be bad luck, and more of them only takes longer.
inline constexpr int kOperationFailuresMax = 3;
// After a recycling that failed, whose reason will hardly be gone at once.
inline constexpr absl::Duration kRecyclePause = absl::Minutes(1);

// So often the first processes of a new program may fail before it gives up.
inline constexpr int kProofFailuresMax = 2;

// --- What happens

struct SignalCame {
  int number;
  MonotonicNanos now;
  pid_t from_pid = 0;  // 0: no process sent it, but the kernel (a terminal)
};
// What kPrepareReload asked for went well: what is to be replaced.
struct ReloadPrepared {
  int64_t operation;
  MonotonicNanos now;
  bool workers = true;          // all of them, or else
  std::vector<int> slots = {};  // these
  bool control = false;
  std::string in_place = "";  // what was done without that, for the operation's message
};
// Nothing was changed.
struct ReloadRefused {
  int64_t operation;
  absl::Status why;
  MonotonicNanos now;
};
// The program that kUpgrade started did not come up, and is gone.
struct UpgradeFailed {
  int64_t operation;
  absl::Status why;
  MonotonicNanos now;
};
// This process has become another program for the operation: the children are those of the one
// before.
struct ProgramReplaced {
  int64_t operation;
  MonotonicNanos now;
};
// This process is the program again that it was before the operation; `newer` are children of the
// one that was to replace it.
struct WentBack {
  int64_t operation;
  absl::Status why;
  std::vector<int> newer;
  MonotonicNanos now;
};
// These workers have sockets that nobody can reach any more.
struct SocketsRemade {
  std::vector<int> workers;
};
// Another daemon has this one's directories.
struct DirectoryLost {
  MonotonicNanos now;
};
// What became of kStart. `hopeless`: no other start will go better. Else it is tried again, and
// only one that fails on and on counts as a process that did not come up.
struct ChildStarted {
  int child;
  pid_t pid;
  MonotonicNanos now;
  double jitter = 0;  // a random number from 0 to 1
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
// A look at what a worker has done and needs.
struct LoadSeen {
  int worker;
  int64_t requests;
  int64_t rss_bytes;
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
    std::variant<SignalCame, ReloadPrepared, ReloadRefused, UpgradeFailed, ProgramReplaced,
                 WentBack, SocketsRemade, DirectoryLost, ChildStarted, StartFailed, ChildReady,
                 HubSeen, LoadSeen, ChildDied, TimePassed>;

// --- What is to be done

enum class ActionKind {
  kStart,             // `child`; its outcome is an event
  kTellToEnd,         // `child`: SIGTERM
  kTellToHandOver,    // `child`, which is control: SIGQUIT, for a successor that comes at once
  kKill,              // `child`: SIGKILL, as nobody is waited for
  kKillOverdue,       // `child`: SIGKILL, as it overstays
  kAbortStuck,        // `child`: SIGABRT, as its hub has not turned for `pause`
  kAbortBoot,         // `child`: SIGABRT, as it has not begun to serve for `pause`
  kKillAborted,       // `child`: SIGKILL, as SIGABRT did not end it
  kReopenLogs,        // `child`: SIGUSR1 goes on to it
  kCloseOwnSockets,   // `child`: nobody is to come to its HTTP sockets any more
  kReleaseSlot,       // `child`, which has ended, and no other comes
  kPrepareReload,     // of `operation`; ReloadPrepared or ReloadRefused is to follow
  kUpgrade,           // for `operation`; UpgradeFailed follows, or ProgramReplaced
  kProven,            // the program need not go back to the one before any more
  kGoBack,            // to the program before; UpgradeFailed follows, or WentBack
  kSetLogLevel,       // for `operation`, of this process
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
  int64_t operation = 0;

  friend bool operator==(const Action&, const Action&) = default;
};

// Moves `state` on.
std::vector<Action> Decide(SupervisorState& state, const SupervisorEvent& event);

// Enters an operation, which begins as time passes; its number. INVALID_ARGUMENT, NOT_FOUND,
// FAILED_PRECONDITION, RESOURCE_EXHAUSTED: why there is none.
absl::StatusOr<int64_t> AskFor(SupervisorState& state, OperationSpec spec, MonotonicNanos now);
// What a signal asks for, of those that ask for an operation.
std::optional<OperationSpec> OperationOf(const SignalCame& came);

// Whether a SIGTERM comes within kRepeatWindow of what made the daemon stop: process groups and
// parents that forward signals send the same one twice, so it changes nothing. SIGINT is meant:
// Ctrl-C pressed again.
bool RepeatsItself(const SupervisorState& state, const SignalCame& came);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SUPERVISOR_DECISIONS_H_
