// Mutex: one fiber at a time, first come, first served, across parks.
//
// It knows the fiber that holds it. Unlocking hands it to the fiber that waited longest: nobody
// overtakes it, the unlocking fiber included. Hub thread only; for threads there is absl::Mutex.
#ifndef GROVE_RUNTIME_SYNC_MUTEX_H_
#define GROVE_RUNTIME_SYNC_MUTEX_H_

#include "absl/status/status.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/wait_list.h"

namespace grove {

class Mutex {
 public:
  Mutex() = default;
  // Requires: nobody waits.
  ~Mutex();
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // kFailedPrecondition: the caller holds it already. kDeadlineExceeded, kCancelled: not locked.
  // **Parks** while another fiber holds it.
  absl::Status Lock();
  // False if it is held, be it by the caller.
  bool TryLock();
  // kFailedPrecondition: the caller does not hold it.
  absl::Status Unlock();

  bool HeldByCaller() const;
  // Null if it is free. A fiber that ended without unlocking it stays its owner.
  const Fiber* owner() const { return owner_.get(); }
  size_t waiting() const { return waiters_.size(); }

 private:
  friend class Condition;

  WaitFor WaitForThis() const;

  // As Lock(), but neither time-outs nor Cancel() end it. Requires: not held by the caller.
  void LockShielded();

  // Counted, so that no new fiber at the same address passes for an owner that has ended.
  FiberHandle owner_;
  WaitList waiters_;
};

// Holds a Mutex for a scope, if ok().
//
//   MutexLock lock(mutex);
//   if (!lock.ok()) return lock.status();
class MutexLock {
 public:
  // **Parks** as Mutex::Lock().
  explicit MutexLock(Mutex& mutex) : mutex_(mutex), status_(mutex.Lock()) {}
  // Requires: the mutex was not unlocked in between.
  ~MutexLock();
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

 private:
  Mutex& mutex_;
  const absl::Status status_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_MUTEX_H_
