// Decision: one call of Decide(), as its parts share it.
//
// Children and time: supervisor_decisions.cc. Operations: operation_decisions.cc.
#ifndef GROVE_SERVER_SUPERVISOR_DECISION_H_
#define GROVE_SERVER_SUPERVISOR_DECISION_H_

#include <string>
#include <utility>
#include <vector>

#include "server/supervisor/supervisor_decisions.h"

namespace grove::supervisor {

class Decision {
 public:
  explicit Decision(SupervisorState& state) : state_(state) {}

  void operator()(const SignalCame& came);
  void operator()(const ReloadPrepared& prepared);
  void operator()(const ReloadRefused& refused);
  void operator()(const UpgradeFailed& failed);
  void operator()(const ProgramReplaced& replaced);
  void operator()(const WentBack& back);
  void operator()(const SocketsRemade& remade);
  void operator()(const DirectoryLost& lost) { Stop(process::kExitBadConfig, lost.now); }
  void operator()(const ChildStarted& started);
  void operator()(const StartFailed& failed);
  void operator()(const ChildReady& ready);
  void operator()(const HubSeen& seen);
  void operator()(const LoadSeen& seen);
  void operator()(const ChildDied& died);
  void operator()(const TimePassed& passed);

  std::vector<Action> actions() && { return std::move(actions_); }

 private:
  void Do(ActionKind kind, int child = kNobody, absl::Duration pause = absl::ZeroDuration()) {
    actions_.push_back({.kind = kind, .child = child, .pause = pause});
  }
  void DoFor(const Operation& operation, ActionKind kind) {
    actions_.push_back({.kind = kind, .operation = operation.number});
  }
  // Calls `body` with the index of each child that runs.
  template <typename F>
  void ForEachAlive(F body);

  // Children and time.
  void Stop(int exit_code, MonotonicNanos now, int64_t by_operation = 0);
  void StopAtOnce();
  void TellToEnd(int child, metrics::ExitReason reason, MonotonicNanos now);
  void Abort(ActionKind kind, int child, absl::Duration still, MonotonicNanos now);
  bool EndsBoot(const ChildDied& died);
  void KillOverdue(MonotonicNanos now);
  bool StartOneDue(MonotonicNanos now);
  bool StartStandIn(MonotonicNanos now);

  // Operations.
  void BeginOperations(MonotonicNanos now);
  void Begin(Operation& operation, MonotonicNanos now);
  void BeginScale(Operation& operation, MonotonicNanos now);
  void BeginRoll(Operation& operation, bool workers, bool control);
  void LeaveSlots(MonotonicNanos now);
  void ContinueRoll(MonotonicNanos now);
  // kNobody: not yet, or none is left.
  int NextToReplace() const;
  void HandControlOver(MonotonicNanos now);
  void EndStandIn(MonotonicNanos now);
  // Tells how far the operations are, and ends those that are over.
  void FollowOperations(MonotonicNanos now);
  void FollowScale(Operation& operation, MonotonicNanos now);
  void FollowRoll(Operation& operation, MonotonicNanos now);
  // A child that an operation has asked for came up, or did not.
  void CameUp(int child);
  void FailedToComeUp(int child, MonotonicNanos now);
  bool ConcernsOperation(int child) const;
  // Upgrades: upgrade_decisions.cc.
  void Prove(MonotonicNanos now);
  void EndProof();
  void FailProof();
  void FailOperation(Operation& operation, absl::Status error, MonotonicNanos now);
  Operation* RunningAlone();

  SupervisorState& state_;
  std::vector<Action> actions_;
};

template <typename F>
void Decision::ForEachAlive(F body) {
  for (int child = 0; child < kChildren; ++child) {
    if (state_.children[child].pid != 0) body(child);
  }
}

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_DECISION_H_
