#include "runtime/timed_group.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/check.h"
#include "runtime/hub.h"
#include "runtime/timeout.h"

namespace grove {

// From the spawn to the end of a child's body; also of one whose body never
// starts.
class TimedGroup::Child {
 public:
  explicit Child(TimedGroup& group) : group_(&group) {}
  Child(Child&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
  ~Child() {
    // The closure of a child that could not be spawned dies in its caller, who
    // is no child.
    if (group_ == nullptr || group_->children_.erase(Hub::Current()->running()) == 0) return;
    group_->child_ended_.Set();
  }

 private:
  TimedGroup* group_;
};

TimedGroup::~TimedGroup() {
  GROVE_CHECK(children_.empty() && timers() == 0,
              "a TimedGroup died while members run: stop it and wait first");
}

absl::Status TimedGroup::Admit() {
  if (stopping_) return absl::CancelledError("add to a group: the group is stopping");
  std::erase_if(timers_, [](const auto& timer) { return !timer->running(); });
  if (children_.size() + timers_.size() < members_max_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrFormat("add to a group: it has %d members, as many as it may", members_max_));
}

absl::StatusOr<FiberHandle> TimedGroup::Spawn(SpawnOptions options,
                                              absl::AnyInvocable<absl::Status()> body,
                                              SourceLocation site) {
  if (absl::Status admitted = Admit(); !admitted.ok()) return admitted;
  absl::StatusOr<FiberHandle> child = grove::Spawn(
      std::move(options),
      [entry = Child(*this), body = std::move(body)]() mutable { return body(); }, site);
  if (child.ok()) children_.insert(child->get());
  return child;
}

absl::Status TimedGroup::Own(std::shared_ptr<LoopingCall> timer, absl::Duration initial_delay,
                             SourceLocation site) {
  if (absl::Status admitted = Admit(); !admitted.ok()) return admitted;
  if (absl::Status started = timer->Start(initial_delay, site); !started.ok()) return started;
  timers_.push_back(std::move(timer));
  return absl::OkStatus();
}

void TimedGroup::StopTimers() {
  for (const auto& timer : timers_) timer->Stop();
}

void TimedGroup::Stop(StopMode mode) {
  stopping_ = true;
  StopTimers();
  if (mode == StopMode::kCancel) CancelMembers();
}

// Not the caller: it goes on to wait for the others.
void TimedGroup::CancelMembers() {
  Fiber* const caller = Hub::Current()->running();
  for (Fiber* child : children_) {
    if (child != caller) child->Cancel();
  }
  for (const auto& timer : timers_) timer->Cancel();
}

absl::Status TimedGroup::Cancel(absl::Duration grace) {
  Stop(StopMode::kGraceful);
  {
    Timeout timeout(grace);
    absl::Status waited = Wait();
    if (waited.ok() || !timeout.fired()) return waited;
  }
  CancelMembers();
  return Wait();
}

size_t TimedGroup::ChildrenButCaller() const {
  return children_.size() - children_.count(Hub::Current()->running());
}

std::vector<std::shared_ptr<LoopingCall>> TimedGroup::RunningTimers() const {
  std::vector<std::shared_ptr<LoopingCall>> running;
  for (const auto& timer : timers_) {
    if (timer->running() && !timer->RunsCaller()) running.push_back(timer);
  }
  return running;
}

absl::Status TimedGroup::Wait() {
  for (;;) {
    const std::vector<std::shared_ptr<LoopingCall>> running = RunningTimers();
    if (running.empty() && ChildrenButCaller() == 0) return absl::OkStatus();
    for (const auto& timer : running) {
      absl::Status waited = timer->Wait();
      if (timer->running()) return waited;  // the caller's own end of waiting
    }
    while (ChildrenButCaller() > 0) {
      child_ended_.Reset();
      if (absl::Status waited = child_ended_.Wait(); !waited.ok()) return waited;
    }
  }
}

size_t TimedGroup::timers() const {
  size_t running = 0;
  for (const auto& timer : timers_) running += timer->running();
  return running;
}

}  // namespace grove
