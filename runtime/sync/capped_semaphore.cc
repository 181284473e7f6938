#include "runtime/sync/capped_semaphore.h"

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

CappedSemaphore::CappedSemaphore(int64_t permits, int64_t limit) : limit_(limit), free_(permits) {
  GROVE_CHECK(limit >= 1, "a CappedSemaphore must be able to hold a permit");
  GROVE_CHECK(permits >= 0 && permits <= limit, "permits outside of 0..limit");
}

CappedSemaphore::~CappedSemaphore() {
  GROVE_CHECK(acquirers_.empty() && releasers_.empty(),
              "a CappedSemaphore died while fibers wait for it");
}

bool CappedSemaphore::TryAcquire() {
  if (free_ == 0) return false;
  if (Waiter* releaser = releasers_.Grant()) {  // its permit takes the place of this one
    Hub::Current()->Unpark(*releaser->fiber);
  } else {
    --free_;
  }
  return true;
}

bool CappedSemaphore::TryRelease() {
  if (free_ == limit_) return false;
  if (Waiter* acquirer = acquirers_.Grant()) {
    Hub::Current()->Unpark(*acquirer->fiber);
  } else {
    ++free_;
  }
  return true;
}

absl::Status CappedSemaphore::Acquire() {
  if (TryAcquire()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running()};
  acquirers_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kSemaphore, .object = this});
  if (self.granted) return absl::OkStatus();
  acquirers_.Remove(self);
  return WakeStatus(wake, "semaphore acquire");
}

absl::Status CappedSemaphore::Release() {
  if (TryRelease()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running()};
  releasers_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kSemaphore, .object = this});
  if (self.granted) return absl::OkStatus();
  releasers_.Remove(self);
  return WakeStatus(wake, "semaphore release");
}

}  // namespace grove
