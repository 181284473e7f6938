// Condition: waits, with a Mutex given up meanwhile, for what the mutex guards to change.
//
// Waiters are notified first come, first served. A notified fiber queues for the mutex like any
// other, so the state may have changed again by the time it holds it: wait with a predicate.
// Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_CONDITION_H_
#define GROVE_RUNTIME_SYNC_CONDITION_H_

#include "absl/status/status.h"
#include "runtime/hub/wait_list.h"
#include "runtime/sync/mutex.h"

namespace grove {

class Condition {
 public:
  // `mutex` must outlive the condition. Several conditions may share one.
  explicit Condition(Mutex& mutex) : mutex_(mutex) {}
  // Requires: nobody waits.
  ~Condition();
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  // Whatever it returns, the caller holds the mutex again; waiting for that is not bounded by
  // time-outs or ended by Cancel(). OK: notified. kDeadlineExceeded, kCancelled: no notification
  // was used up. kFailedPrecondition: the caller does not hold the mutex. **Parks.**
  absl::Status Wait();
  // Until `holds()`, which is called with the mutex held. Parks not at all if it does already.
  template <typename Predicate>
  absl::Status WaitUntil(Predicate holds) {
    while (!holds()) {
      if (absl::Status waited = Wait(); !waited.ok()) return waited;
    }
    return absl::OkStatus();
  }
  // No effect if nobody waits. The caller need not hold the mutex.
  void NotifyOne();
  void NotifyAll();

  size_t waiting() const { return waiters_.size(); }

 private:
  Mutex& mutex_;
  WaitList waiters_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_CONDITION_H_
