#include "runtime/hub/timeout.h"

#include <algorithm>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {
namespace {

Fiber& RunningFiber() {
  Hub* hub = Hub::Current();
  GROVE_CHECK(hub != nullptr && hub->running() != nullptr, "a Timeout bounds a fiber: none runs");
  return *hub->running();
}

}  // namespace

// Here since it needs the whole of Timeout.
bool Fiber::wait_is_bounded() const {
  if (state() != State::kParked || shielded_) return false;
  for (const Timeout* scope = timeouts_; scope != nullptr; scope = scope->outer()) {
    if (scope->pending()) return true;
  }
  return false;
}

Timeout::Timeout(absl::Duration after)
    : Timer(&Timeout::Ring), fiber_(RunningFiber()), outer_(fiber_.timeouts_) {
  fiber_.timeouts_ = this;
  deadline_ = DeadlineAfter(fiber_.hub_.now(), after);
  if (deadline_ != kNever) ArmFor(deadline_);
}

Timeout::~Timeout() {
  // Disarmed before it is off the fiber's list: a scope that can still ring is always on it.
  GROVE_CHECK(fiber_.timeouts_ == this, "Timeout scopes must end in reverse order, on their fiber");
  fiber_.hub_.timers().Cancel(*this);
  fiber_.timeouts_ = outer_;
  if (fired_) Withdraw();
}

MonotonicNanos Timeout::Nearest() {
  MonotonicNanos nearest = kNever;
  for (const Timeout* scope = RunningFiber().timeouts_; scope != nullptr; scope = scope->outer_) {
    if (scope->pending()) nearest = std::min(nearest, scope->deadline_);
  }
  return nearest;
}

void Timeout::ArmFor(MonotonicNanos deadline) {
  armed_for_ = deadline;
  fiber_.hub_.timers().Arm(*this, deadline);
}

void Timeout::Cancel() {
  deadline_ = kNever;
  if (!std::exchange(fired_, false)) return;
  Withdraw();
}

void Timeout::Restart(absl::Duration after) {
  if (std::exchange(fired_, false)) Withdraw();
  deadline_ = DeadlineAfter(fiber_.hub_.now(), after);
  // It rings too early then, and is armed anew there: see Ring().
  if (armed() && armed_for_ <= deadline_) return;
  fiber_.hub_.timers().Cancel(*this);
  if (deadline_ != kNever) ArmFor(deadline_);
}

// Computed anew from all that may interrupt, never just cleared: another scope may have fired while
// this one was up, and a cancellation stays for good (invariant 6).
void Timeout::Withdraw() {
  fiber_.interrupted_ = fiber_.cancelled_;
  for (const Timeout* scope = fiber_.timeouts_; scope != nullptr; scope = scope->outer_) {
    fiber_.interrupted_ |= scope->fired_;
  }
}

// With a scope around it that has fired too, the expiry is the outer one's: to swallow it here
// would have the body go on past a deadline that it was given from outside.
bool Timeout::Caused(const absl::Status& status) const {
  if (!fired_ || !absl::IsDeadlineExceeded(status)) return false;
  for (const Timeout* scope = outer_; scope != nullptr; scope = scope->outer_) {
    if (scope->fired_) return false;
  }
  return true;
}

absl::Status Timeout::Silence(absl::Status status) const {
  return Caused(status) ? absl::OkStatus() : std::move(status);
}

void Timeout::Ring(Timer& timer) {
  Timeout& self = static_cast<Timeout&>(timer);
  if (self.deadline_ > self.fiber_.hub_.now()) {  // it was moved since the timer was armed
    if (self.deadline_ != kNever) self.ArmFor(self.deadline_);
    return;
  }
  // Set before the fiber runs: what it returns to asks fired().
  self.fired_ = true;
  self.fiber_.Interrupt(Wake::kTimedOut);
}

}  // namespace grove
