#include "runtime/group/fiber_group.h"

#include <memory>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

FiberGroup::~FiberGroup() {
  GROVE_CHECK(running_ == 0, "a FiberGroup died while children run: Join() it first");
}

absl::Status FiberGroup::Run(OnFailure on_failure,
                             absl::AnyInvocable<absl::Status(FiberGroup& group)> body) {
  FiberGroup group(on_failure);
  // Without it there are no children, and nothing to wait for.
  if (absl::StatusOr<FiberHandle> scope = group.Spawn("group scope", [&] { return body(group); });
      !scope.ok()) {
    return scope.status();
  }
  return group.JoinOrThrow();
}

void FiberGroup::Enter(Child& child) {
  ++running_;
  child.next = children_;
  if (children_ != nullptr) children_->prev = &child;
  children_ = &child;
}

void FiberGroup::Leave(Child& child) {
  (child.prev != nullptr ? child.prev->next : children_) = child.next;
  if (child.next != nullptr) child.next->prev = child.prev;
  --running_;
  // A child without a fiber could not be spawned: its caller was told.
  if (child.fiber != nullptr && !child.succeeded) {
    if (!first_failed_) first_failed_ = FiberHandle(child.fiber);
    if (on_failure_ == OnFailure::kCancelRest) Cancel();
  }
  if (running_ > 0) return;
  while (Waiter* waiter = all_done_.Grant()) Hub::Current()->Unpark(*waiter->fiber);
}

WaitNeeds FiberGroup::ChildIds(const void* group, FiberIdVisitor visit) {
  const Child* child = static_cast<const FiberGroup*>(group)->children_;
  for (; child != nullptr; child = child->next) visit(child->fiber->id());
  return WaitNeeds::kAll;
}

bool FiberGroup::HasChild(const Fiber* fiber) const {
  for (const Child* child = children_; child != nullptr; child = child->next) {
    if (child->fiber == fiber) return true;
  }
  return false;
}

absl::StatusOr<FiberHandle> FiberGroup::Start(SpawnOptions options,
                                              absl::AnyInvocable<absl::Status()> body,
                                              SourceLocation site) {
  if (options.group.empty()) options.group = name_;
  if (cancelled_) return absl::CancelledError("spawn in a group: the group was cancelled");
  auto owned = std::make_unique<Child>(*this);
  Child& child = *owned;
  // `owned` dies last, when nothing of the body is left that could use the scope's memory.
  absl::StatusOr<FiberHandle> spawned = grove::Spawn(
      options,
      [owned = std::move(owned), body = std::move(body)]() mutable {
        absl::Status status = body();
        owned->succeeded = status.ok();
        return status;
      },
      site);
  if (spawned.ok()) child.fiber = spawned->get();
  return spawned;
}

absl::Status FiberGroup::Join() {
  Hub& hub = *Hub::Current();
  if (HasChild(hub.running())) {
    return absl::FailedPreconditionError("a child can't wait for its own group to end");
  }
  const WaitFor waiting_for{
      .kind = WaitFor::Kind::kGroup, .object = this, .holders = &FiberGroup::ChildIds};
  Wake interruption = Wake::kReady;
  // Anew for children that were spawned between the end of the last one and this fiber's turn.
  while (running_ > 0) {
    Waiter self{.fiber = hub.running()};
    all_done_.PushBack(self);
    if (interruption == Wake::kReady) {
      const Wake wake = hub.Park(waiting_for);
      if (self.granted) continue;
      interruption = wake;
      Cancel();
    }
    while (!self.granted) hub.ParkShielded(waiting_for);
  }
  if (interruption != Wake::kReady) return WakeStatus(interruption, "group join");
  return first_failed_ ? first_failed_.Join() : absl::OkStatus();
}

absl::Status FiberGroup::JoinOrThrow() {
  absl::Status status = Join();
  if (running_ == 0 && first_failed_) (void)first_failed_.JoinOrThrow();
  return status;
}

void FiberGroup::Cancel() {
  cancelled_ = true;
  for (Child* child = children_; child != nullptr; child = child->next) child->fiber->Cancel();
}

}  // namespace grove
