// SpawnAfter: a fiber whose body starts after a delay, unless it is cancelled before.
//
// The fiber is made at once and sleeps, so that a hub without room says so to the caller and not
// later to nobody. SpawnAfterLocal ties it to a scope of the spawner: what has not started when the
// scope ends never does, what has is cancelled. Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_SPAWN_AFTER_H_
#define GROVE_RUNTIME_GROUP_SPAWN_AFTER_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"

namespace grove {

// A counted reference to a delayed fiber. Dropping it does not end the fiber.
class DelayedFiber {
 public:
  DelayedFiber(FiberHandle fiber, std::shared_ptr<const bool> started)
      : fiber_(std::move(fiber)), started_(std::move(started)) {}

  // Whether the body has started.
  bool started() const { return *started_; }
  bool ended() const { return fiber_.ended(); }
  const FiberHandle& fiber() const { return fiber_; }

  // True if the body will never run; false, and no effect, if it has started.
  bool CancelBeforeStart();
  // Started or not.
  void Cancel() { fiber_.Cancel(); }
  // As FiberHandle::Join; kCancelled if the body never ran. **Parks.**
  absl::Status Join() { return fiber_.Join(); }
  absl::Status JoinOrThrow() { return fiber_.JoinOrThrow(); }

 private:
  FiberHandle fiber_;
  std::shared_ptr<const bool> started_;
};

// A delayed fiber that its scope cancels at the end.
class [[nodiscard]] LocalDelayedFiber {
 public:
  explicit LocalDelayedFiber(DelayedFiber fiber) : fiber_(std::move(fiber)) {}
  ~LocalDelayedFiber() {
    if (fiber_.fiber()) fiber_.Cancel();
  }
  LocalDelayedFiber(LocalDelayedFiber&&) = default;
  LocalDelayedFiber& operator=(LocalDelayedFiber other) noexcept {
    std::swap(fiber_, other.fiber_);
    return *this;
  }

  DelayedFiber* operator->() { return &fiber_; }

 private:
  DelayedFiber fiber_;
};

// `after` is counted from the call; zero or less starts at once, yet not before the caller parks.
// kResourceExhausted as Spawn: then nothing runs.
absl::StatusOr<DelayedFiber> SpawnAfter(absl::Duration after, const SpawnOptions& options,
                                        absl::AnyInvocable<absl::Status()> body,
                                        SourceLocation site = SourceLocation::Current());

// As SpawnAfter. The result belongs on the spawner's stack.
absl::StatusOr<LocalDelayedFiber> SpawnAfterLocal(absl::Duration after, const SpawnOptions& options,
                                                  absl::AnyInvocable<absl::Status()> body,
                                                  SourceLocation site = SourceLocation::Current());

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_SPAWN_AFTER_H_
