// Semaphore: permits, handed out first come, first served.
//
// A permit that is released while fibers wait goes to the one that waited longest: nobody overtakes
// it, the releasing fiber included. Hub thread only.
#ifndef GROVE_RUNTIME_SEMAPHORE_H_
#define GROVE_RUNTIME_SEMAPHORE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "runtime/wait_list.h"

namespace grove {

class Semaphore {
 public:
  explicit Semaphore(int64_t permits) : free_(permits) {}
  // Requires: nobody waits.
  ~Semaphore();
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // kDeadlineExceeded, kCancelled: no permit was taken. **Parks** while there is none.
  absl::Status Acquire();
  // False if there is none, or if others wait for one.
  bool TryAcquire();
  void Release();
  // Changes the number of permits by `by`; free() may become negative, until enough are released.
  void Adjust(int64_t by);

  int64_t free() const { return free_; }
  size_t waiting() const { return waiters_.size(); }

 private:
  void Serve();

  int64_t free_;
  WaitList waiters_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SEMAPHORE_H_
