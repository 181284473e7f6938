// Semaphore: permits, handed out first come, first served.
//
// A permit that is released while fibers wait goes to the one that waited longest: nobody overtakes
// it, the releasing fiber included. Hub thread only.
//
// For the waits-for graph one of up to kHoldersMax permits remembers which fibers took them, and
// supposes that they will release them. It gives up on that for good once somebody else releases
// one, as those do that use a semaphore to signal: then nobody can know who will release next.
#ifndef GROVE_RUNTIME_SYNC_SEMAPHORE_H_
#define GROVE_RUNTIME_SYNC_SEMAPHORE_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "runtime/hub/alternative_waiter.h"
#include "runtime/hub/check.h"
#include "runtime/hub/fiber.h"

namespace grove {

class Semaphore {
 public:
  static constexpr size_t kHoldersMax = 4;

  // Requires: permits >= 0.
  explicit Semaphore(int64_t permits)
      : free_(permits), holders_known_(permits <= static_cast<int64_t>(kHoldersMax)) {
    GROVE_CHECK(permits >= 0, "a Semaphore can't start with a debt");
  }
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

  // Says from the start that permits are released by others than the fibers that took them.
  void ForgetHolders() { holders_known_ = false; }

  int64_t free() const { return free_; }
  size_t waiting() const { return waiters_.size(); }

 private:
  friend class SelectAcquire;

  void Serve();
  void Took(const Fiber* fiber);
  void GaveBack(const Fiber* fiber);
  static WaitNeeds HolderIds(const void* semaphore, FiberIdVisitor visit);

  int64_t free_;
  bool holders_known_;
  std::array<FiberId, kHoldersMax> holders_{};  // 0: a free place
  WaitList waiters_;                            // AlternativeWaiters
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_SEMAPHORE_H_
