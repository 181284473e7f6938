// Operations: what operators have asked of the daemon, and how far each of it is.
//
// A register and nothing more: what an operation does, Decide() says (supervisor_decisions.h).
// Those that start, replace or end processes run one at a time, in the order in which they came; an
// operation that touches none of that runs beside them. Keeps the newest kEndedMax that ended.
// Reads no clock, knows no process.
#ifndef GROVE_SERVER_SUPERVISOR_OPERATIONS_H_
#define GROVE_SERVER_SUPERVISOR_OPERATIONS_H_

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/clock.h"

namespace grove::supervisor {

// As metrics::kOperationKinds names them.
enum class OperationKind { kScale, kRestart, kDrain, kReload, kUpgrade, kSetLogLevel, kRecycle };
enum class OperationState { kWaiting, kRunning, kSucceeded, kFailed, kSuperseded };

// "scale", "waiting": for the log.
std::string_view NameOf(OperationKind kind);
std::string_view NameOf(OperationState state);

// What is asked for. Of the fields after the first two each kind has its own.
struct OperationSpec {
  OperationKind kind;
  std::string requested_by;     // "token ci", "SIGHUP of pid 17"
  int workers = 0;              // kScale: so many there shall be; or, where it is 0,
  int change = 0;               // kScale: so many more, or fewer
  std::vector<int> slots;       // kRestart, kRecycle; none for kRestart: all
  bool control = false;         // kRestart: control instead, alone
  bool old_generation = false;  // kDrain: that alone, not the daemon
  std::string program;          // kUpgrade; empty: the one that was started
  std::string level;            // kSetLogLevel; empty: the config's
  std::string reason;           // kRecycle: the bound that was reached
};

struct Operation {
  int64_t number;
  OperationSpec spec;
  OperationState state = OperationState::kWaiting;
  std::string message;  // what is being done, or in the end what was
  int steps_done = 0;
  int steps = 0;             // 0: not known yet
  MonotonicNanos begun = 0;  // 0: it has not
  MonotonicNanos ended = 0;  // 0: it has not
  absl::Status error;        // of one that failed

  bool HasEnded() const { return state > OperationState::kRunning; }
};

struct OperationChange {
  int64_t number;
  bool new_state;  // not only the progress

  friend bool operator==(const OperationChange&, const OperationChange&) = default;
};

class Operations {
 public:
  // Enough for who looks what happened while nobody did.
  static constexpr int kEndedMax = 50;
  // More of them is no operator any more.
  static constexpr int kWaitingMax = 50;

  // Enters one, which waits; its number. RESOURCE_EXHAUSTED: kWaitingMax wait already.
  absl::StatusOr<int64_t> Add(OperationSpec spec);
  // One that was entered elsewhere: by the supervisor that this one has followed. Numbers go on
  // after it.
  void Restore(Operation operation);

  // The oldest that waits and need not wait any more; nullptr: there is none. A reload need not
  // wait for a reload: it looks first whether it could take its place.
  Operation* NextToBegin();
  // As pointers they are good until the next Add() or end of one.
  Operation* Find(int64_t number);
  // One of `kind` that waits or runs, the oldest first; nullptr: there is none.
  Operation* FindOpen(OperationKind kind);
  // In the order of their numbers.
  const std::list<Operation>& all() const { return all_; }

  void Begin(Operation& operation, MonotonicNanos now);
  void Progress(Operation& operation, int done, int steps, std::string message);
  // `message`: what was done; of those that failed or were superseded, what is in force now.
  void Succeed(Operation& operation, std::string message, MonotonicNanos now);
  void Fail(Operation& operation, absl::Status error, std::string message, MonotonicNanos now);
  void Supersede(Operation& operation, std::string message, MonotonicNanos now);
  // All that wait or run but `spared` (0: none).
  void SupersedeAll(int64_t spared, const std::string& message, MonotonicNanos now);

  // Those that are new or other since the last call, each once.
  std::vector<OperationChange> TakeChanges();

 private:
  void Note(const Operation& operation, bool new_state);
  void End(Operation& operation, OperationState state, std::string message, MonotonicNanos now);
  void ForgetOldest();

  int64_t next_number_ = 1;
  std::list<Operation> all_;
  std::vector<OperationChange> changes_;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_OPERATIONS_H_
