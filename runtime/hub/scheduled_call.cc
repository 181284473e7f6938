#include "runtime/hub/scheduled_call.h"

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/exception_text.h"
#include "runtime/hub/hub.h"

namespace grove {

// Keeps itself alive while it is armed, in the hub's list, so that the hub can drop it.
struct ScheduledCall::State : Timer {
  State(Hub& h, absl::AnyInvocable<void()> c, SourceLocation s)
      : Timer(&Fire), hub(h), call(std::move(c)), site(s) {}

  void Arm(MonotonicNanos deadline, std::shared_ptr<State> myself) {
    self = std::move(myself);
    due = deadline;
    next = hub.scheduled_calls_;
    if (next != nullptr) next->prev = this;
    hub.scheduled_calls_ = this;
    hub.timers().Arm(*this, deadline);
  }
  // Off the timers and the list. The result keeps it alive a little longer.
  std::shared_ptr<State> Disarm() {
    hub.timers().Cancel(*this);
    (prev != nullptr ? prev->next : hub.scheduled_calls_) = next;
    if (next != nullptr) next->prev = prev;
    prev = next = nullptr;
    owner = FiberHandle();
    return std::move(self);
  }

  static void Fire(Timer& timer) {
    State& state = static_cast<State&>(timer);
    const bool skipped = state.owner && state.owner.ended();
    const std::shared_ptr<State> alive = state.Disarm();
    absl::AnyInvocable<void()> call = std::exchange(state.call, nullptr);
    if (!skipped) state.hub.RunCall(call, &state.site);
  }

  Hub& hub;
  absl::AnyInvocable<void()> call;
  const SourceLocation site;
  MonotonicNanos due = 0;
  FiberHandle owner;  // of the local form
  std::shared_ptr<State> self;
  State* prev = nullptr;
  State* next = nullptr;
};

// The entry of a call: below it is the hub's loop, which nothing may unwind.
void Hub::RunCall(absl::AnyInvocable<void()>& call, const SourceLocation* site) {
  try {
    call();
  } catch (...) {
    ++stats_.uncaught_exceptions;
    const std::string origin = site == nullptr
                                   ? "a posted call"
                                   : absl::StrFormat("a call scheduled at %s:%d", site->file_name(),
                                                     static_cast<int>(site->line()));
    absl::FPrintF(stderr, "grove: %s\n", DescribeCurrentException(origin));
  }
}

void Hub::DropScheduledCalls() {
  while (scheduled_calls_ != nullptr) {
    const std::shared_ptr<ScheduledCall::State> dropped = scheduled_calls_->Disarm();
    dropped->call = nullptr;
  }
}

bool ScheduledCall::pending() const {
  return state_ != nullptr && state_->armed();
}

bool ScheduledCall::Cancel() {
  if (!pending()) return false;
  (void)state_->Disarm();
  state_->call = nullptr;
  return true;
}

void ScheduledCall::Visit(
    size_t limit, absl::FunctionRef<void(const SourceLocation& site, MonotonicNanos due)> visit) {
  const State* state = Hub::Current()->scheduled_calls_;
  for (; state != nullptr && limit > 0; state = state->next, --limit)
    visit(state->site, state->due);
}

ScheduledCall ScheduleCall(absl::Duration after, absl::AnyInvocable<void()> call,
                           SourceLocation site) {
  Hub* const hub = Hub::Current();
  GROVE_CHECK(hub != nullptr, "a call can be scheduled only where a hub runs");
  auto state = std::make_shared<ScheduledCall::State>(*hub, std::move(call), site);
  state->Arm(DeadlineAfter(hub->now(), after), state);
  return ScheduledCall(std::move(state));
}

ScheduledCall ScheduleCallLocal(absl::Duration after, absl::AnyInvocable<void()> call,
                                SourceLocation site) {
  Hub* const hub = Hub::Current();
  GROVE_CHECK(hub != nullptr && hub->running() != nullptr,
              "a local call belongs to a fiber: schedule it in one");
  auto state = std::make_shared<ScheduledCall::State>(*hub, std::move(call), site);
  state->owner = FiberHandle(hub->running());
  state->Arm(DeadlineAfter(hub->now(), after), state);
  return ScheduledCall(std::move(state));
}

}  // namespace grove
