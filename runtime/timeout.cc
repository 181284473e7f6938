#include "runtime/timeout.h"

#include "runtime/check.h"
#include "runtime/hub.h"

namespace grove {
namespace {

Fiber& RunningFiber() {
  Hub* hub = Hub::Current();
  GROVE_CHECK(hub != nullptr && hub->running() != nullptr, "a Timeout bounds a fiber: none runs");
  return *hub->running();
}

}  // namespace

Timeout::Timeout(absl::Duration after)
    : Timer(&Timeout::Fire), fiber_(RunningFiber()), outer_(fiber_.timeouts_) {
  fiber_.timeouts_ = this;
  if (after == absl::InfiniteDuration()) return;
  Hub& hub = fiber_.hub_;
  hub.timers().Arm(*this, DeadlineAfter(hub.now(), after));
}

Timeout::~Timeout() {
  GROVE_CHECK(fiber_.timeouts_ == this, "Timeout scopes must end in reverse order, on their fiber");
  fiber_.hub_.timers().Cancel(*this);
  fiber_.timeouts_ = outer_;
  if (!fired_) return;
  fiber_.interrupted_ = fiber_.cancelled_;
  for (const Timeout* scope = outer_; scope != nullptr; scope = scope->outer_) {
    fiber_.interrupted_ |= scope->fired_;
  }
}

void Timeout::Fire(Timer& timer) {
  Timeout& self = static_cast<Timeout&>(timer);
  self.fired_ = true;
  self.fiber_.interrupted_ = true;
  self.fiber_.hub_.Resume(self.fiber_, Wake::kTimedOut);
}

}  // namespace grove
