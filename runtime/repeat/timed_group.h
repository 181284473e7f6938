// TimedGroup: the fibers and looping calls of one service, stopped and waited
// for together.
//
// Timers are LoopingCalls that the group owns. Stop() ends them and lets fibers
// end by themselves, or cancels these, too. Unlike FiberGroup, a child may wait
// for its group: it leaves itself out. Failures of children and timers are
// theirs alone: a child's Join() or a loop's options tell. The destructor can't
// park and so requires that nothing is left: Stop() or Cancel(), then Wait().
// Hub thread only.
#ifndef GROVE_RUNTIME_REPEAT_TIMED_GROUP_H_
#define GROVE_RUNTIME_REPEAT_TIMED_GROUP_H_

#include <cstddef>
#include <memory>
#include <unordered_set>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"
#include "runtime/repeat/looping_call.h"
#include "runtime/sync/event.h"

namespace grove {

class TimedGroup {
 public:
  enum class StopMode { kGraceful, kCancel };

  // At most so many children and timers at once, those that have ended not
  // counted.
  explicit TimedGroup(size_t members_max = 1000) : members_max_(members_max) {}
  // Requires: no child and no timer is left.
  ~TimedGroup();
  TimedGroup(const TimedGroup&) = delete;
  TimedGroup& operator=(const TimedGroup&) = delete;

  // A child. kCancelled: the group is stopping; kResourceExhausted:
  // members_max, or as grove::Spawn. In all cases nothing runs.
  absl::StatusOr<FiberHandle> Spawn(const SpawnOptions& options,
                                    absl::AnyInvocable<absl::Status()> body,
                                    SourceLocation site = SourceLocation::Current());
  // Starts the loop that `make` returns: one of LoopingCall's. As Spawn, and LoopingCall::Start.
  template <typename Make>
  absl::Status AddTimer(Make make, absl::Duration initial_delay = absl::ZeroDuration(),
                        SourceLocation site = SourceLocation::Current()) {
    // A loop can't be moved, so std::make_shared could not make it in place.
    return Own(std::shared_ptr<LoopingCall>(new LoopingCall(make())), initial_delay, site);
  }

  // No run of a timer starts after this; those under way end.
  void StopTimers();
  // No more members; StopTimers(), and with kCancel the children are cancelled.
  // Wait() waits.
  void Stop(StopMode mode = StopMode::kGraceful);
  // Stop(), lets children and timers end by themselves within `grace`, then
  // cancels those that are left, but not the caller, and waits for them. As
  // Wait() otherwise. **Parks.**
  absl::Status Cancel(absl::Duration grace);
  // Until no child and no timer is left; called by one of them: but for those
  // that wait, too. kDeadlineExceeded, kCancelled of the caller's own leave the
  // rest running. **Parks.**
  absl::Status Wait();

  // Not ended yet.
  size_t children() const { return children_.size(); }
  size_t timers() const;

 private:
  class Child;

  absl::Status Admit();
  absl::Status Own(std::shared_ptr<LoopingCall> timer, absl::Duration initial_delay,
                   SourceLocation site);
  bool HasMember(Fiber* fiber) const;
  void CancelMembers();

  const size_t members_max_;
  bool stopping_ = false;
  std::unordered_set<Fiber*> children_;  // not ended; each takes itself out
  std::vector<std::shared_ptr<LoopingCall>> timers_;
  size_t waiting_ = 0;  // members in Wait()
  Event changed_;       // a member has ended, or begun to wait
};

}  // namespace grove

#endif  // GROVE_RUNTIME_REPEAT_TIMED_GROUP_H_
