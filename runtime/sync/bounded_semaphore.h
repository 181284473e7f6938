// BoundedSemaphore: a Semaphore that tells when more permits are released than were taken.
//
// Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_BOUNDED_SEMAPHORE_H_
#define GROVE_RUNTIME_SYNC_BOUNDED_SEMAPHORE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "runtime/sync/semaphore.h"

namespace grove {

class BoundedSemaphore {
 public:
  // Requires: permits >= 0.
  explicit BoundedSemaphore(int64_t permits);

  // kDeadlineExceeded, kCancelled: no permit was taken. **Parks** while there is none.
  absl::Status Acquire() { return permits_.Acquire(); }
  // False if there is none, or if others wait for one.
  bool TryAcquire() { return permits_.TryAcquire(); }
  // kFailedPrecondition: all permits are free; nothing was released.
  absl::Status Release();

  int64_t limit() const { return limit_; }
  int64_t free() const { return permits_.free(); }
  size_t waiting() const { return permits_.waiting(); }

 private:
  const int64_t limit_;
  Semaphore permits_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_BOUNDED_SEMAPHORE_H_
