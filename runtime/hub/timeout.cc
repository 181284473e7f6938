#include "runtime/hub/timeout.h"

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
  GROVE_CHECK(fiber_.timeouts_ == this, "Timeout scopes must end in reverse order, on their fiber");
  fiber_.hub_.timers().Cancel(*this);
  fiber_.timeouts_ = outer_;
  if (fired_) Withdraw();
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
  if (armed() && armed_for_ <= deadline_) return;
  fiber_.hub_.timers().Cancel(*this);
  if (deadline_ != kNever) ArmFor(deadline_);
}

void Timeout::Withdraw() {
  fiber_.interrupted_ = fiber_.cancelled_;
  for (const Timeout* scope = fiber_.timeouts_; scope != nullptr; scope = scope->outer_) {
    fiber_.interrupted_ |= scope->fired_;
  }
}

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
  self.fired_ = true;
  self.fiber_.Interrupt(Wake::kTimedOut);
}

}  // namespace grove
