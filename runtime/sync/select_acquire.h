// SelectAcquire: a permit of a Semaphore, as one of the things a Selector waits for.
//
// Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_SELECT_ACQUIRE_H_
#define GROVE_RUNTIME_SYNC_SELECT_ACQUIRE_H_

#include "runtime/sync/select.h"
#include "runtime/sync/semaphore.h"

namespace grove {

// Ready when there is a permit and nobody waits for it longer. Chosen, the caller has taken one.
class SelectAcquire final : public SelectCase {
 public:
  // `semaphore` must outlive it.
  explicit SelectAcquire(Semaphore& semaphore)
      : SelectCase(semaphore.waiters_), semaphore_(semaphore) {}

 private:
  bool Try() override { return semaphore_.TryAcquire(); }

  Semaphore& semaphore_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_SELECT_ACQUIRE_H_
