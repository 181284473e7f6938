// FiberGroup: fibers that end before the scope that started them does.
//
// Join() waits for all children, those that children spawned included, and returns the first
// failure. A scope that is left early still waits: when its fiber is cancelled or timed out, Join()
// cancels the children and waits until they have ended, since they may use the scope's memory.
//
//   FiberGroup group(FiberGroup::OnFailure::kCancelRest);
//   group.Spawn("left", [&] { … });
//   group.Spawn("right", [&] { … });
//   absl::Status status = group.Join();
//
// The destructor can't park and so requires a Join(). Where the scope itself may throw, Run() is
// the form that joins in any case. Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_FIBER_GROUP_H_
#define GROVE_RUNTIME_GROUP_FIBER_GROUP_H_

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/wait_list.h"

namespace grove {

class FiberGroup {
 public:
  // What the first child that fails (by its status, an exception or its cancellation) does to the
  // others.
  enum class OnFailure { kLetRestRun, kCancelRest };

  // `name` is the children's group; must outlive them.
  explicit FiberGroup(OnFailure on_failure = OnFailure::kLetRestRun,
                      std::string_view name = "group")
      : on_failure_(on_failure), name_(name) {}
  // Requires: no child is left.
  ~FiberGroup();
  FiberGroup(const FiberGroup&) = delete;
  FiberGroup& operator=(const FiberGroup&) = delete;

  // Runs `body(group)` as the first child, and joins: also if it throws. **Parks.**
  static absl::Status Run(OnFailure on_failure,
                          absl::AnyInvocable<absl::Status(FiberGroup& group)> body);

  // Starts `body` (void() or absl::Status()) as a child. kCancelled: the group has been cancelled.
  // kResourceExhausted as grove::Spawn. In both cases nothing runs.
  template <typename F>
  absl::StatusOr<FiberHandle> Spawn(const SpawnOptions& options, F&& body,
                                    SourceLocation site = SourceLocation::Current());
  template <typename F>
  absl::StatusOr<FiberHandle> Spawn(std::string_view name, F&& body,
                                    SourceLocation site = SourceLocation::Current()) {
    return Spawn(SpawnOptions{.name = name}, std::forward<F>(body), site);
  }

  // Until no child is left. The status of the child that failed first, in time; it stays for later
  // calls. kCancelled, kDeadlineExceeded of the caller's own come once all children have been
  // cancelled and have ended. kFailedPrecondition from a child: nothing was waited for. **Parks.**
  absl::Status Join();
  // As Join(), but throws on the exception of the child that failed first.
  absl::Status JoinOrThrow();
  // Cancels all children; no more can be spawned.
  void Cancel();

  size_t running() const { return running_; }
  bool cancelled() const { return cancelled_; }

 private:
  // From the spawn to the end of a child's body; also of one whose body never starts.
  struct Child {
    explicit Child(FiberGroup& g) : group(g) { group.Enter(*this); }
    ~Child() { group.Leave(*this); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    FiberGroup& group;
    Fiber* fiber = nullptr;
    bool succeeded = false;
    Child* prev = nullptr;
    Child* next = nullptr;
  };
  absl::StatusOr<FiberHandle> Start(SpawnOptions options, absl::AnyInvocable<absl::Status()> body,
                                    SourceLocation site);
  void Enter(Child& child);
  void Leave(Child& child);
  static WaitNeeds ChildIds(const void* group, FiberIdVisitor visit);
  bool HasChild(const Fiber* fiber) const;

  const OnFailure on_failure_;
  const std::string_view name_;
  bool cancelled_ = false;
  size_t running_ = 0;
  Child* children_ = nullptr;  // doubly linked; each is owned by its fiber's closure
  FiberHandle first_failed_;
  WaitList all_done_;
};

template <typename F>
absl::StatusOr<FiberHandle> FiberGroup::Spawn(const SpawnOptions& options, F&& body,
                                              SourceLocation site) {
  if constexpr (std::is_void_v<std::invoke_result_t<std::decay_t<F>&>>) {
    return Start(
        options,
        [body = std::forward<F>(body)]() mutable {
          body();
          return absl::OkStatus();
        },
        site);
  } else {
    return Start(options, std::forward<F>(body), site);
  }
}

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_FIBER_GROUP_H_
