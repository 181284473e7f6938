#include "runtime/repeat/timed_group.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

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
    group_->changed_.Set();
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

absl::StatusOr<FiberHandle> TimedGroup::Spawn(const SpawnOptions& options,
                                              absl::AnyInvocable<absl::Status()> body,
                                              SourceLocation site) {
  if (absl::Status admitted = Admit(); !admitted.ok()) return admitted;
  absl::StatusOr<FiberHandle> child = grove::Spawn(
      options, [entry = Child(*this), body = std::move(body)]() mutable { return body(); }, site);
  if (child.ok()) children_.insert(child->get());
  return child;
}

absl::Status TimedGroup::Own(std::shared_ptr<LoopingCall> timer, absl::Duration initial_delay,
                             SourceLocation site) {
  if (absl::Status admitted = Admit(); !admitted.ok()) return admitted;
  if (absl::Status started = timer->Start(initial_delay, site); !started.ok()) return started;
  // The last thing its fiber does, which ends before anybody hears of it.
  FiberHandle(timer->fiber()).Link([this](const Fiber&, const absl::Status&) { changed_.Set(); });
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

bool TimedGroup::HasMember(Fiber* fiber) const {
  if (children_.contains(fiber)) return true;
  for (const auto& timer : timers_) {
    if (timer->RunsCaller()) return true;
  }
  return false;
}

absl::Status TimedGroup::Wait() {
  const bool member = HasMember(Hub::Current()->running());
  if (member) {
    ++waiting_;
    changed_.Set();
  }
  absl::Status waited;
  // To a member, all that wait, itself included, are as good as ended: they wait for it.
  while (waited.ok() && children() + timers() > (member ? waiting_ : 0)) {
    changed_.Reset();
    waited = changed_.Wait();
  }
  if (member) --waiting_;
  return waited;
}

size_t TimedGroup::timers() const {
  size_t running = 0;
  for (const auto& timer : timers_) running += timer->running();
  return running;
}

}  // namespace grove
