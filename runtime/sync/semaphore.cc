#include "runtime/sync/semaphore.h"

#include <algorithm>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {
namespace {

const Fiber* RunningFiber() {
  Hub* const hub = Hub::Current();
  return hub != nullptr ? hub->running() : nullptr;
}

}  // namespace

Semaphore::~Semaphore() {
  GROVE_CHECK(waiters_.empty(), "a Semaphore died while fibers wait for it");
}

bool Semaphore::TryAcquire() {
  if (free_ <= 0 || !waiters_.empty()) return false;
  --free_;
  if (holders_known_) Took(RunningFiber());
  return true;
}

absl::Status Semaphore::Acquire() {
  if (TryAcquire()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  AlternativeWaiter self{{.fiber = hub.running()}};
  waiters_.PushBack(self);
  const Wake wake = hub.Park(
      {.kind = WaitFor::Kind::kSemaphore, .object = this, .holders = &Semaphore::HolderIds});
  if (self.granted) return absl::OkStatus();
  waiters_.Remove(self);
  return WakeStatus(wake, "semaphore acquire");
}

void Semaphore::Release() {
  ++free_;
  if (holders_known_) GaveBack(RunningFiber());
  Serve();
}

void Semaphore::Adjust(int64_t by) {
  free_ += by;
  if (by != 0) holders_known_ = false;  // it may have become more of them than there is room for
  Serve();
}

void Semaphore::Took(const Fiber* fiber) {
  FiberId* const place = std::find(holders_.begin(), holders_.end(), FiberId{0});
  holders_known_ = fiber != nullptr && place != holders_.end();
  if (holders_known_) *place = fiber->id();
}

void Semaphore::GaveBack(const Fiber* fiber) {
  FiberId* const place =
      fiber != nullptr ? std::find(holders_.begin(), holders_.end(), fiber->id()) : holders_.end();
  holders_known_ = place != holders_.end();
  if (holders_known_) *place = 0;
}

WaitNeeds Semaphore::HolderIds(const void* semaphore, FiberIdVisitor visit) {
  const Semaphore& self = *static_cast<const Semaphore*>(semaphore);
  if (!self.holders_known_) return WaitNeeds::kUnknown;
  for (const FiberId holder : self.holders_) {
    if (holder != 0) visit(holder);
  }
  return WaitNeeds::kAny;
}

void Semaphore::Serve() {
  while (free_ > 0) {
    Waiter* waiter = GrantAlternative(waiters_);
    if (waiter == nullptr) return;
    --free_;
    if (holders_known_) Took(waiter->fiber);
    Hub::Current()->Unpark(*waiter->fiber);
  }
}

}  // namespace grove
