#include "runtime/sync/mutex.h"

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

Mutex::~Mutex() {
  GROVE_CHECK(waiters_.empty(), "a Mutex died while fibers wait for it");
}

bool Mutex::HeldByCaller() const {
  return owner_ && owner_.get() == Hub::Current()->running();
}

bool Mutex::TryLock() {
  if (owner_) return false;
  owner_ = FiberHandle(Hub::Current()->running());
  return true;
}

WaitFor Mutex::WaitForThis() const {
  const HoldersOf holders = [](const void* mutex, FiberIdVisitor visit) {
    visit(static_cast<const Mutex*>(mutex)->owner_->id());
    return WaitNeeds::kAll;
  };
  return {.kind = WaitFor::Kind::kMutex, .object = this, .holders = holders};
}

absl::Status Mutex::Lock() {
  if (TryLock()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  if (HeldByCaller()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("mutex lock: fiber \"%s\" holds it already", hub.running()->name()));
  }
  Waiter self{.fiber = hub.running()};
  waiters_.PushBack(self);
  const Wake wake = hub.Park(WaitForThis());
  if (self.granted) return absl::OkStatus();
  waiters_.Remove(self);
  return WakeStatus(wake, "mutex lock");
}

void Mutex::LockShielded() {
  if (TryLock()) return;
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running()};
  waiters_.PushBack(self);
  while (!self.granted) hub.ParkShielded(WaitForThis());
}

absl::Status Mutex::Unlock() {
  if (!HeldByCaller()) {
    if (!owner_) return absl::FailedPreconditionError("mutex unlock: it is not locked");
    return absl::FailedPreconditionError(
        absl::StrFormat("mutex unlock: fiber \"%s\" holds it, not the caller", owner_->name()));
  }
  Waiter* const next = waiters_.Grant();
  owner_ = next != nullptr ? FiberHandle(next->fiber) : FiberHandle();
  if (next != nullptr) Hub::Current()->Unpark(*next->fiber);
  return absl::OkStatus();
}

MutexLock::~MutexLock() {
  if (!status_.ok()) return;
  GROVE_CHECK(mutex_.Unlock().ok(), "a MutexLock ended, but its mutex was unlocked before");
}

}  // namespace grove
