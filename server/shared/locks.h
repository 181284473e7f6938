// Locks: by their names, one holder among all workers of the daemon.
//
// Each has an expiry, and is released where it ends sooner: by the holder, by the end of its
// HeldLock, or with the death of its worker. Whoever holds one for longer than its expiry has lost
// it, and may not know yet: what it changes elsewhere takes token(), which only rises, so that who
// is changed can refuse a smaller one than it has seen. Locks take rows of the shared table.
#ifndef GROVE_SERVER_SHARED_LOCKS_H_
#define GROVE_SERVER_SHARED_LOCKS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"
#include "runtime/repeat/backoff.h"
#include "server/shared/table.h"

namespace grove::shared {

// Ends before the worker does. Never parks; one thread at a time.
class HeldLock {
 public:
  HeldLock(HeldLock&& other) noexcept;
  HeldLock& operator=(HeldLock&&) = delete;
  ~HeldLock();

  const std::string& name() const { return name_; }
  // Greater than any holder's before, also of daemons before unless the wall clock was set back.
  uint64_t token() const { return token_; }
  // From now on. kFailedPrecondition: it was lost, whoever has it now.
  absl::Status Extend(absl::Duration expiry);
  // Before its end. kFailedPrecondition: it was lost before: somebody else may have been at work.
  absl::Status Unlock();

 private:
  friend class Locks;
  HeldLock(TableMemory* memory, Clock& clock, std::string_view name, uint64_t token)
      : memory_(memory), clock_(&clock), name_(name), token_(token) {}
  absl::Status Lost() const;

  TableMemory* memory_;  // null: moved from, or unlocked
  Clock* clock_;
  std::string name_;
  uint64_t token_;
};

// Both of them: kInvalidArgument, no name, one over 255 bytes, or an expiry that is not above zero;
// the rest as Table says.
class Locks {
 public:
  // A try follows another after these pauses.
  static constexpr absl::Duration kPauseFirst = absl::Milliseconds(1);
  static constexpr absl::Duration kPauseMax = absl::Milliseconds(100);

  // Memory and clock outlive it. Null: there is no table. `holder` is this process.
  Locks(TableMemory* memory, Clock& clock, pid_t holder);

  // kAborted: somebody has it. Never parks; any thread.
  absl::StatusOr<HeldLock> TryLock(std::string_view name, absl::Duration expiry);
  // Waits for it: tries again and again, the pauses growing to kPauseMax, in no order with others
  // that wait. kDeadlineExceeded: not within `wait`. **Parks.** Hub thread only.
  absl::StatusOr<HeldLock> Lock(std::string_view name, absl::Duration expiry,
                                absl::Duration wait = absl::InfiniteDuration());

 private:
  TableMemory* const memory_;
  Clock& clock_;
  const pid_t holder_;
  const Random random_;
};

// For code that runs without a worker.
Locks& NoLocks();

}  // namespace grove::shared

#endif  // GROVE_SERVER_SHARED_LOCKS_H_
