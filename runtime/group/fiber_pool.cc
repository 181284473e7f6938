#include "runtime/group/fiber_pool.h"

#include <exception>
#include <memory>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

// One member, from its spawn to the end of its body; also one whose body never starts.
struct FiberPool::Member {
  explicit Member(FiberPool& p) : pool(p) { pool.Enter(*this); }
  ~Member() { pool.Leave(*this); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  FiberPool& pool;
  Fiber* fiber = nullptr;
  Member* prev = nullptr;
  Member* next = nullptr;
};

absl::Status FiberPool::Run(int64_t size, absl::FunctionRef<absl::Status(FiberPool& pool)> body) {
  FiberPool pool(size);
  absl::Status status;
  std::exception_ptr thrown;
  try {
    status = body(pool);
    if (status.ok()) status = pool.WaitAll();
  } catch (const std::exception&) {
    thrown = std::current_exception();  // no fiber may park in here
  }
  if (!status.ok() || thrown != nullptr) pool.CancelAll();
  pool.Drain();
  if (thrown != nullptr) std::rethrow_exception(std::move(thrown));
  return status;
}

FiberPool::~FiberPool() {
  GROVE_CHECK(running_ == 0, "a FiberPool died while members run");
}

WaitNeeds FiberPool::MemberIds(const void* pool, FiberIdVisitor visit) {
  const Member* member = static_cast<const FiberPool*>(pool)->members_;
  for (; member != nullptr; member = member->next) visit(member->fiber->id());
  return WaitNeeds::kAll;
}

bool FiberPool::HasMember(const Fiber* fiber) const {
  for (const Member* member = members_; member != nullptr; member = member->next) {
    if (member->fiber == fiber) return true;
  }
  return false;
}

void FiberPool::Enter(Member& member) {
  ++running_;
  member.next = members_;
  if (members_ != nullptr) members_->prev = &member;
  members_ = &member;
}

void FiberPool::Leave(Member& member) {
  (member.prev != nullptr ? member.prev->next : members_) = member.next;
  if (member.next != nullptr) member.next->prev = member.prev;
  --running_;
  places_.Release();
  WakeIfEmpty();
}

void FiberPool::WakeIfEmpty() {
  if (!IsEmpty()) return;
  while (Waiter* waiter = all_done_.Grant()) Hub::Current()->Unpark(*waiter->fiber);
}

// Requires: a place has been taken; it is given back if the spawn fails.
absl::StatusOr<FiberHandle> FiberPool::Start(SpawnOptions options, absl::AnyInvocable<void()>& body,
                                             SourceLocation site) {
  if (options.group.empty()) options.group = name_;
  auto owned = std::make_unique<Member>(*this);
  Member& member = *owned;
  absl::StatusOr<FiberHandle> spawned = grove::Spawn(
      options, [owned = std::move(owned), body = std::move(body)]() mutable { body(); }, site);
  if (spawned.ok()) member.fiber = spawned->get();
  return spawned;
}

absl::StatusOr<FiberHandle> FiberPool::Spawn(SpawnOptions options, absl::AnyInvocable<void()> body,
                                             SourceLocation site) {
  if (closed_) return absl::CancelledError("the pool ends");
  if (!places_.TryAcquire()) {
    if (HasMember(Hub::Current()->running())) {
      body();
      return FiberHandle();
    }
    ++entering_;
    const absl::Status place = places_.Acquire();
    --entering_;
    if (place.ok() && closed_) places_.Release();
    if (!place.ok() || closed_) {
      WakeIfEmpty();
      return place.ok() ? absl::CancelledError("the pool ends") : place;
    }
  }
  return Start(std::move(options), body, site);
}

bool FiberPool::TrySpawn(SpawnOptions options, absl::AnyInvocable<void()> body,
                         SourceLocation site) {
  return !closed_ && places_.TryAcquire() && Start(std::move(options), body, site).ok();
}

absl::Status FiberPool::WaitAll() {
  Hub& hub = *Hub::Current();
  if (HasMember(hub.running())) {
    return absl::FailedPreconditionError("a member can't wait for its own pool to become empty");
  }
  if (IsEmpty()) return absl::OkStatus();
  Waiter self{.fiber = hub.running()};
  all_done_.PushBack(self);
  const Wake wake =
      hub.Park({.kind = WaitFor::Kind::kPool, .object = this, .holders = &FiberPool::MemberIds});
  if (self.granted) return absl::OkStatus();
  all_done_.Remove(self);
  return WakeStatus(wake, "wait for a pool");
}

void FiberPool::Drain() {
  closed_ = true;
  Hub& hub = *Hub::Current();
  while (!IsEmpty()) {
    Waiter self{.fiber = hub.running()};
    all_done_.PushBack(self);
    hub.ParkShielded(
        {.kind = WaitFor::Kind::kPool, .object = this, .holders = &FiberPool::MemberIds});
    if (!self.granted) all_done_.Remove(self);
  }
}

void FiberPool::CancelAll() {
  for (Member* member = members_; member != nullptr; member = member->next) member->fiber->Cancel();
}

void FiberPool::Resize(int64_t size) {
  const int64_t by = size - size_;
  size_ = size;
  places_.Adjust(by);
}

}  // namespace grove
