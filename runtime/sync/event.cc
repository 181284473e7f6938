#include "runtime/sync/event.h"

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

Event::~Event() {
  GROVE_CHECK(waiters_.empty(), "an Event died while fibers wait for it");
}

void Event::Set() {
  set_ = true;
  while (Waiter* waiter = GrantAlternative(waiters_)) Hub::Current()->Unpark(*waiter->fiber);
}

absl::Status Event::Wait() {
  if (set_) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  AlternativeWaiter self{{.fiber = hub.running()}};
  waiters_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kEvent, .object = this});
  if (self.granted) return absl::OkStatus();
  waiters_.Remove(self);
  return WakeStatus(wake, "event wait");
}

}  // namespace grove
