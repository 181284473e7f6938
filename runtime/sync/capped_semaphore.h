// CappedSemaphore: permits up to a limit; whoever releases one more waits until one is taken.
//
// Both sides are served first come, first served. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_CAPPED_SEMAPHORE_H_
#define GROVE_RUNTIME_SYNC_CAPPED_SEMAPHORE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "runtime/hub/wait_list.h"

namespace grove {

class CappedSemaphore {
 public:
  // Requires: 0 <= permits <= limit, limit >= 1.
  CappedSemaphore(int64_t permits, int64_t limit);
  // Requires: nobody waits.
  ~CappedSemaphore();
  CappedSemaphore(const CappedSemaphore&) = delete;
  CappedSemaphore& operator=(const CappedSemaphore&) = delete;

  // kDeadlineExceeded, kCancelled: no permit was taken. **Parks** while there is none.
  absl::Status Acquire();
  // False if there is none.
  bool TryAcquire();
  // kDeadlineExceeded, kCancelled: no permit was released. **Parks** at the limit.
  absl::Status Release();
  // False at the limit.
  bool TryRelease();

  int64_t limit() const { return limit_; }
  int64_t free() const { return free_; }
  size_t acquiring() const { return acquirers_.size(); }
  size_t releasing() const { return releasers_.size(); }

 private:
  const int64_t limit_;
  int64_t free_;
  WaitList acquirers_;  // not empty only while free_ == 0
  WaitList releasers_;  // not empty only while free_ == limit_
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_CAPPED_SEMAPHORE_H_
