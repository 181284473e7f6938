#include "runtime/semaphore.h"

#include "runtime/check.h"
#include "runtime/hub.h"

namespace grove {

Semaphore::~Semaphore() {
  GROVE_CHECK(waiters_.empty(), "a Semaphore died while fibers wait for it");
}

bool Semaphore::TryAcquire() {
  if (free_ <= 0 || !waiters_.empty()) return false;
  --free_;
  return true;
}

absl::Status Semaphore::Acquire() {
  if (TryAcquire()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running()};
  waiters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kSemaphore, .object = this});
  if (self.granted) return absl::OkStatus();
  waiters_.Remove(self);
  return WakeStatus(wake, "semaphore acquire");
}

void Semaphore::Release() {
  ++free_;
  Serve();
}

void Semaphore::Adjust(int64_t by) {
  free_ += by;
  Serve();
}

void Semaphore::Serve() {
  while (free_ > 0) {
    Waiter* waiter = waiters_.Grant();
    if (waiter == nullptr) return;
    --free_;
    Hub::Current()->Unpark(*waiter->fiber);
  }
}

}  // namespace grove
