// A daemon as Decide() sees it, brought into a state step by step.
#ifndef GROVE_SERVER_SUPERVISOR_DECISIONS_FIXTURE_H_
#define GROVE_SERVER_SUPERVISOR_DECISIONS_FIXTURE_H_

#include <signal.h>

#include <ostream>
#include <string>
#include <vector>

#include "server/supervisor/supervisor_decisions.h"

namespace grove::supervisor {

// For failures of the tables.
inline void PrintTo(const Action& action, std::ostream* out) {
  *out << "action " << static_cast<int>(action.kind) << " on " << action.child << " after "
       << absl::FormatDuration(action.pause);
}

using Actions = std::vector<Action>;

inline constexpr int kWorkers = 2;
inline constexpr MonotonicNanos kSecond = 1'000'000'000;
inline constexpr MonotonicNanos kBegin = 1000 * kSecond;
inline constexpr absl::Duration kDrain = absl::Seconds(30);
inline constexpr pid_t kOperator = 17;
// So often may a start fail, in a row, before it counts as a process that did not come up.
inline constexpr int kStartsForgiven = 7;

// As waitpid(2) has them.
constexpr int Exited(int code) {
  return code << 8;
}
constexpr int Killed(int signal) {
  return signal;
}

struct Daemon {
  explicit Daemon(int workers = kWorkers) : state(workers, kDrain) {}

  Actions Do(const SupervisorEvent& event) { return Decide(state, event); }
  // As the supervisor does with one that a process has sent.
  Actions Signal(int number) {
    const SignalCame came{.number = number, .now = now, .from_pid = kOperator};
    std::optional<OperationSpec> asked = OperationOf(came);
    if (!asked) return Do(came);
    AskFor(state, *std::move(asked), now).status().IgnoreError();
    return PassTime();
  }
  // Its number.
  int64_t Ask(OperationSpec spec) {
    spec.requested_by = "test";
    absl::StatusOr<int64_t> number = AskFor(state, std::move(spec), now);
    return number.ok() ? *number : 0;
  }
  // A reload whose preparation goes well.
  Actions Reload() {
    const int64_t number = Ask({.kind = OperationKind::kReload, .requested_by = ""});
    PassTime();
    return Do(ReloadPrepared{.operation = number, .now = now});
  }
  Actions Ready(int child) { return Do(ChildReady{child, now}); }
  Actions Die(int child, int wait_status) { return Do(ChildDied{child, wait_status, now}); }
  Actions PassTime(absl::Duration duration = absl::ZeroDuration()) {
    now += absl::ToInt64Nanoseconds(duration);
    return Do(TimePassed{now});
  }
  // What time asks for, with every start succeeding.
  Actions Settle() {
    Actions all;
    for (Actions some; !(some = Do(TimePassed{now})).empty();) {
      for (const Action& action : some) {
        all.push_back(action);
        if (action.kind == ActionKind::kStart) Do(ChildStarted{action.child, ++last_pid, now});
      }
    }
    return all;
  }
  // A worker that was told to end does, and its successor serves.
  void Replace(int slot) {
    Die(slot, Exited(0));
    Settle();
    Ready(slot);
  }
  const Operation& operation(int64_t number) { return *state.operations.Find(number); }

  SupervisorState state;
  MonotonicNanos now = kBegin;
  pid_t last_pid = 100;
};

inline Daemon Booting(int workers = kWorkers) {
  Daemon daemon(workers);
  daemon.Settle();
  return daemon;
}

inline Daemon ServingWith(int workers) {
  Daemon daemon = Booting(workers);
  for (int slot = 0; slot < workers; ++slot) daemon.Ready(slot);
  daemon.Ready(kControl);
  daemon.PassTime(absl::Hours(1));
  return daemon;
}
inline Daemon Serving() {
  return ServingWith(kWorkers);
}

// A stand-in serves, worker 0 is told to end, 1 waits.
inline Daemon Replacing() {
  Daemon daemon = Serving();
  daemon.Reload();
  daemon.Settle();
  daemon.Ready(kStandIn);
  daemon.PassTime();
  return daemon;
}

inline Daemon Stopping() {
  Daemon daemon = Serving();
  daemon.Signal(SIGTERM);
  return daemon;
}

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_DECISIONS_FIXTURE_H_
