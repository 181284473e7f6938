#include "runtime/sync/select.h"

#include "runtime/hub/hub.h"

namespace grove {

Selector::Selector(std::initializer_list<SelectCase*> cases) : cases_(cases) {
  GROVE_CHECK(!cases_.empty(), "a Selector without cases would wait for ever");
}

size_t Selector::Chosen(size_t at) {
  first_ = (at + 1) % cases_.size();
  return at;
}

std::optional<size_t> Selector::TryWait() {
  for (size_t i = 0; i < cases_.size(); ++i) {
    const size_t at = (first_ + i) % cases_.size();
    if (cases_[at]->Try()) return Chosen(at);
  }
  return std::nullopt;
}

// Puts the cases that can become ready in line, as one ring of alternatives.
void Selector::StandInLine(Fiber* fiber) {
  AlternativeWaiter* first = nullptr;
  AlternativeWaiter* last = nullptr;
  for (SelectCase* each : cases_) {
    each->waiter_ = AlternativeWaiter{{.fiber = fiber, .value = each->Place()}};
    if (!each->Waits()) continue;
    each->waiter_.list = &each->line_;
    each->waiter_.alternative = first;
    if (last != nullptr) last->alternative = &each->waiter_;
    last = &each->waiter_;
    if (first == nullptr) first = last;
    each->line_.PushBack(each->waiter_);
    each->Enter(*fiber);
  }
  GROVE_CHECK(first != nullptr, "a Selector none of whose cases can become ready");
  last->alternative = first;
}

absl::StatusOr<size_t> Selector::Wait() {
  if (std::optional<size_t> ready = TryWait()) return *ready;
  Hub& hub = *Hub::Current();
  StandInLine(hub.running());
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kSelect, .object = this});
  for (SelectCase* each : cases_) {
    if (each->waiter_.list != nullptr) each->Leave();
  }
  // Whoever granted one has taken the others off.
  for (size_t at = 0; at < cases_.size(); ++at) {
    if (!cases_[at]->waiter_.granted) continue;
    cases_[at]->Served(cases_[at]->waiter_);
    return Chosen(at);
  }
  for (SelectCase* each : cases_) each->line_.Remove(each->waiter_);
  return WakeStatus(wake, "select");
}

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
