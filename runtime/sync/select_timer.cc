#include "runtime/sync/select_timer.h"

#include "runtime/hub/hub.h"

namespace grove {

SelectTimer::SelectTimer(absl::Duration after) : Timer(&SelectTimer::Ring), SelectCase(waiters_) {
  Restart(after);
}

SelectTimer::~SelectTimer() {
  Hub::Current()->timers().Cancel(*this);
}

void SelectTimer::Restart(absl::Duration after) {
  Hub& hub = *Hub::Current();
  hub.timers().Cancel(*this);
  rung_ = false;
  const MonotonicNanos deadline = DeadlineAfter(hub.now(), after);
  if (deadline != kNever) hub.timers().Arm(*this, deadline);
}

void SelectTimer::Ring(Timer& timer) {
  SelectTimer& self = static_cast<SelectTimer&>(timer);
  self.rung_ = true;
  while (Waiter* waiter = GrantAlternative(self.waiters_)) Hub::Current()->Unpark(*waiter->fiber);
}

}  // namespace grove
