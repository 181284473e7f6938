// FiberPool: at most `size` fibers at once.
//
// Spawn() parks while the pool is full, unless the caller is itself a member: then the body runs at
// once in the caller, since waiting for a place that the caller holds would never end.
// The destructor can't park, and requires that no member runs: WaitAll() first. Where the scope may
// be left early, by an error or an exception, Run() is the form that joins in any case.
// Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_FIBER_POOL_H_
#define GROVE_RUNTIME_GROUP_FIBER_POOL_H_

#include <cstdint>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "runtime/hub/fiber.h"
#include "runtime/sync/semaphore.h"

namespace grove {

class FiberPool {
 public:
  // `name` is the members' group; must outlive them. Requires: size >= 0.
  explicit FiberPool(int64_t size, std::string_view name = "pool")
      : name_(name), size_(size), places_(size) {
    places_.ForgetHolders();  // the spawner takes a place, the member gives it back
  }
  ~FiberPool();
  FiberPool(const FiberPool&) = delete;
  FiberPool& operator=(const FiberPool&) = delete;

  // Runs `body(pool)`, and returns when no member is left, so that members may use the scope's
  // memory: after OK they are waited for; an error or an exception of the body, or an interruption
  // of this wait, cancels them first. The body's status, or the wait's. **Parks.**
  static absl::Status Run(int64_t size, absl::FunctionRef<absl::Status(FiberPool& pool)> body);

  // The member's fiber; an empty handle if the body has run in the caller, which gets its exception
  // then. kDeadlineExceeded, kCancelled (also: Run() ends), kResourceExhausted: `body` did not run.
  // **Parks** while full.
  absl::StatusOr<FiberHandle> Spawn(SpawnOptions options, absl::AnyInvocable<void()> body,
                                    SourceLocation site = SourceLocation::Current());
  // False, and nothing runs, if the pool is full or the hub can't spawn.
  bool TrySpawn(SpawnOptions options, absl::AnyInvocable<void()> body,
                SourceLocation site = SourceLocation::Current());
  // Until no member runs and none waits to. kFailedPrecondition from a member. **Parks.**
  absl::Status WaitAll();
  void CancelAll();
  // Takes effect at once: growing lets waiters in, shrinking lets running ones finish.
  void Resize(int64_t size);

  int64_t size() const { return size_; }
  int64_t running() const { return running_; }
  // Negative after shrinking.
  int64_t free() const { return places_.free(); }
  size_t waiting() const { return places_.waiting(); }

 private:
  struct Member;
  absl::StatusOr<FiberHandle> Start(SpawnOptions options, absl::AnyInvocable<void()>& body,
                                    SourceLocation site);
  void Enter(Member& member);
  void Leave(Member& member);
  void WakeIfEmpty();
  bool IsEmpty() const { return running_ == 0 && entering_ == 0; }
  // Takes no more members, and returns when none is left. **Parks**, whatever happens.
  void Drain();
  static WaitNeeds MemberIds(const void* pool, FiberIdVisitor visit);
  bool HasMember(const Fiber* fiber) const;

  const std::string_view name_;
  int64_t size_;
  int64_t running_ = 0;
  // Spawns between the wait for a place and the start of the member: a place that was handed to one
  // is nobody's wait and nobody's member until its fiber runs.
  int64_t entering_ = 0;
  bool closed_ = false;
  Semaphore places_;
  Member* members_ = nullptr;  // doubly linked; each is owned by its fiber's closure
  WaitList all_done_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_FIBER_POOL_H_
