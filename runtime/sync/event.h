// Event: something that happens once, and the fibers that wait for it.
//
// Set() lets all present and later waiters through until Reset(). It never parks. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_EVENT_H_
#define GROVE_RUNTIME_SYNC_EVENT_H_

#include "absl/status/status.h"
#include "runtime/hub/alternative_waiter.h"

namespace grove {

template <typename T>
class SelectEvent;

class Event {
 public:
  Event() = default;
  // Requires: nobody waits.
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool ready() const { return set_; }
  // No effect if set.
  void Set();
  void Reset() { set_ = false; }
  // OK once set; kDeadlineExceeded, kCancelled. **Parks.**
  absl::Status Wait();
  size_t waiting() const { return waiters_.size(); }

 private:
  friend class SelectEvent<Event>;

  bool set_ = false;
  WaitList waiters_;  // AlternativeWaiters
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_EVENT_H_
