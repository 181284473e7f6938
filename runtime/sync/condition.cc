#include "runtime/sync/condition.h"

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

Condition::~Condition() {
  GROVE_CHECK(waiters_.empty(), "a Condition died while fibers wait for it");
}

absl::Status Condition::Wait() {
  if (absl::Status unlocked = mutex_.Unlock(); !unlocked.ok()) return unlocked;
  Hub& hub = *Hub::Current();
  Waiter self{.fiber = hub.running()};
  waiters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kCondition, .object = this});
  waiters_.Remove(self);
  mutex_.LockShielded();
  return self.granted ? absl::OkStatus() : WakeStatus(wake, "condition wait");
}

void Condition::NotifyOne() {
  if (Waiter* waiter = waiters_.Grant()) Hub::Current()->Unpark(*waiter->fiber);
}

void Condition::NotifyAll() {
  while (Waiter* waiter = waiters_.Grant()) Hub::Current()->Unpark(*waiter->fiber);
}

}  // namespace grove
