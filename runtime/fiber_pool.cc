#include "runtime/fiber_pool.h"

#include "runtime/check.h"
#include "runtime/hub.h"

namespace grove {

// One running member. It lives on its fiber's stack.
struct FiberPool::Member {
  Fiber* fiber;
  Member* prev;
  Member* next;
};

FiberPool::~FiberPool() {
  GROVE_CHECK(running_ == 0, "a FiberPool died while members run");
}

bool FiberPool::HasMember(const Fiber* fiber) const {
  for (const Member* member = members_; member != nullptr; member = member->next) {
    if (member->fiber == fiber) return true;
  }
  return false;
}

void FiberPool::Leave(Member& member) {
  (member.prev != nullptr ? member.prev->next : members_) = member.next;
  if (member.next != nullptr) member.next->prev = member.prev;
}

// Requires: a place has been taken; gives it back if the spawn fails.
absl::Status FiberPool::Start(SpawnOptions options, absl::AnyInvocable<void()>& body,
                              std::source_location site) {
  ++running_;
  // Leaves the pool however the body ends, and also when it never starts.
  struct Place {
    FiberPool* pool;
    explicit Place(FiberPool* p) : pool(p) {}
    Place(Place&& other) noexcept : pool(std::exchange(other.pool, nullptr)) {}
    ~Place() {
      if (pool == nullptr) return;
      --pool->running_;
      pool->places_.Release();
      if (pool->running_ > 0 || pool->places_.waiting() > 0) return;
      while (Waiter* waiter = pool->all_done_.Grant()) Hub::Current()->Unpark(*waiter->fiber);
    }
  };
  absl::StatusOr<FiberHandle> spawned = grove::Spawn(
      options,
      [place = Place(this), body = std::move(body)]() mutable {
        FiberPool& pool = *place.pool;
        struct Membership {
          FiberPool& pool;
          Member member;
          explicit Membership(FiberPool& p)
              : pool(p), member{Hub::Current()->running(), nullptr, p.members_} {
            if (member.next != nullptr) member.next->prev = &member;
            pool.members_ = &member;
          }
          ~Membership() { pool.Leave(member); }
        } membership(pool);
        body();
      },
      site);
  return spawned.status();
}

absl::Status FiberPool::Spawn(SpawnOptions options, absl::AnyInvocable<void()> body,
                              std::source_location site) {
  if (!places_.TryAcquire()) {
    if (HasMember(Hub::Current()->running())) {
      body();
      return absl::OkStatus();
    }
    if (absl::Status place = places_.Acquire(); !place.ok()) return place;
  }
  return Start(std::move(options), body, site);
}

bool FiberPool::TrySpawn(SpawnOptions options, absl::AnyInvocable<void()> body,
                         std::source_location site) {
  return places_.TryAcquire() && Start(std::move(options), body, site).ok();
}

absl::Status FiberPool::WaitAll() {
  Hub& hub = *Hub::Current();
  if (HasMember(hub.running())) {
    return absl::FailedPreconditionError("a member can't wait for its own pool to become empty");
  }
  if (running_ == 0 && places_.waiting() == 0) return absl::OkStatus();
  Waiter self{.fiber = hub.running()};
  all_done_.PushBack(self);
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kPool, .object = this});
  if (self.granted) return absl::OkStatus();
  all_done_.Remove(self);
  return WakeStatus(wake, "wait for a pool");
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
