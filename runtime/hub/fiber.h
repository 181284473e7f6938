// Fiber: a green thread. It runs on its hub's thread, until it parks, yields or ends.
//
// A fiber lives at the top of its own stack, together with the callable it runs. The hub holds one
// reference while it has not ended; every FiberHandle holds one. Without handles it is detached.
// An exception that leaves the body is caught at the fiber's entry and delivered by Join(); if
// nobody joins, it is counted and logged with the fiber's name.
// Hub thread only.
#ifndef GROVE_RUNTIME_HUB_FIBER_H_
#define GROVE_RUNTIME_HUB_FIBER_H_

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/fiber_state.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/hub/wait_for.h"
#include "runtime/hub/wait_list.h"
#include "runtime/switch/context.h"
#include "runtime/switch/source_location.h"
#include "runtime/switch/stack_pool.h"

namespace grove {

class Fiber;
class FiberHandle;
class FiberLocalMap;
class Hub;
class ParkWatch;
class Timeout;

using FiberId = uint64_t;

// Why a park ended.
enum class Wake : uint8_t { kReady, kTimedOut, kCancelled };

// kDeadlineExceeded or kCancelled. Requires: not kReady.
absl::Status WakeStatus(Wake wake, std::string_view while_doing);

// On whose behalf a fiber runs; shown by introspection. Fibers with one have each of their runs
// timed; for others one in many, counted as many times: reading the clock costs several switches.
struct FiberLabel {
  std::string tenant;
  std::string task;
  // Of all fibers that have or had it, up to their last parks.
  mutable MonotonicNanos run_time = 0;
};

struct SpawnOptions {
  // Must outlive the fiber: a literal, or a string that the body owns.
  std::string_view name = "fiber";
  // Null: the spawner's.
  std::shared_ptr<const FiberLabel> label = nullptr;
  // What it belongs to, shown by introspection; must outlive the fiber. FiberPool and FiberGroup
  // set theirs where it is empty.
  std::string_view group = {};
};

// Called with a fiber that has run its body, and what Join() of it will return.
using FiberLink = absl::AnyInvocable<void(const Fiber& fiber, const absl::Status& result)>;
using FiberLinkId = uint64_t;

class Fiber {
 public:
  using State = FiberState;

  FiberId id() const { return id_; }
  std::string_view name() const { return name_; }
  std::string_view group() const { return group_; }
  State state() const { return state_.state(); }
  const WaitFor& waiting_for() const { return waiting_for_; }
  const SourceLocation& spawn_site() const { return site_; }
  const FiberLabel* label() const { return label_.get(); }
  MonotonicNanos spawned_at() const { return spawned_at_; }
  uint64_t switches() const { return switches_; }
  // Time on the hub so far: measured while it has a label, else estimated from samples.
  MonotonicNanos run_time() const;
  // How much of its stack was ever touched, counted by pages, by it or by an earlier fiber on the
  // same stack. Asks the kernel: about a microsecond.
  size_t StackHighWaterBytes() const;
  size_t stack_bytes() const { return stack_.high - stack_.low; }
  bool cancelled() const { return cancelled_; }
  // Parked, and a Timeout in its scope will end that.
  bool wait_is_bounded() const;
  // For stack walks: where its frames lie, and where they end while it does not run.
  const Stack& stack() const { return stack_; }
  const Context& context() const { return context_; }

  // Asks it to end: this and every later park of it returns kCancelled. If it has not started, its
  // body never runs and Join() returns kCancelled.
  void Cancel();

 private:
  friend class Hub;
  friend class FiberHandle;
  friend class FiberLocalMap;
  friend class LabelScope;
  friend class ParkWatch;
  friend class RunQueue;
  friend class Timeout;
  friend struct GdbTable;

  // Of a hub's switches to fibers, one in so many is timed. A prime, so that fibers that take turns
  // are all met.
  static constexpr uint64_t kRunTimeSample = 251;

  using Run = absl::Status (*)(void* closure);
  using Destroy = void (*)(void* closure);
  // A closure, made and kept at the top of the stack.
  struct Body {
    size_t bytes;
    size_t align;
    Run run;
    Destroy destroy;
    absl::FunctionRef<void(void* place)> construct;
  };

  // `closure`: where `body` was made; its frames begin below.
  Fiber(Hub& hub, const Stack& stack, const Body& body, void* closure, const SpawnOptions& options,
        SourceLocation site);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();
  static void Main(void* self);
  void RunBody();
  void RunLinks();
  void CountRunTime();
  // Gives back the one before. Requires: it runs.
  std::shared_ptr<const FiberLabel> SetLabel(std::shared_ptr<const FiberLabel> label);
  // This and every later park is ended by `why`.
  void Interrupt(Wake why);
  void ReportUncaught(std::string_view what);
  void Unref();

  // A switch touches the first two cache lines: what it needs stands there.
  Context context_;
  Fiber* next_ = nullptr;          // in the run queue
  MonotonicNanos resumed_at_ = 0;  // 0: this run is not timed
  uint64_t switches_ = 0;
  FiberStateMachine state_;
  Wake wake_ = Wake::kReady;
  bool interrupted_ = false;  // cancelled_, or a Timeout in scope has fired
  bool shielded_ = false;     // parked in ParkShielded()
  bool timed_ = false;        // has a label
  bool cancelled_ = false;
  bool started_ = false;
  bool joined_ = false;
  bool cold_ = false;  // woken by the poller: its frames are likely out of the nearest caches
  Timeout* timeouts_ = nullptr;   // innermost first
  ParkWatch* watches_ = nullptr;  // told of its parks
  WaitFor waiting_for_;
  Hub& hub_;
  Stack stack_;
  FiberLocalMap* locals_ = nullptr;  // owned; null until the first FiberLocal is used

  const Run run_;
  const Destroy destroy_;
  void* const closure_;
  FiberId id_ = 0;
  std::string_view name_;
  std::string_view group_;
  SourceLocation site_;
  std::shared_ptr<const FiberLabel> label_;
  MonotonicNanos spawned_at_ = 0;
  MonotonicNanos run_time_ = 0;
  struct Links;
  std::unique_ptr<Links> links_;  // null without
  WaitList joiners_;
  absl::Status result_;
  std::exception_ptr exception_;
  uint32_t references_ = 1;
};

// For a park that ends when `fiber` does.
WaitFor WaitForEndOf(const Fiber& fiber);

// A counted reference to a fiber. Dropping it does not end the fiber.
class FiberHandle {
 public:
  FiberHandle() = default;
  explicit FiberHandle(Fiber* fiber);
  FiberHandle(const FiberHandle& other);
  FiberHandle(FiberHandle&& other) noexcept : fiber_(std::exchange(other.fiber_, nullptr)) {}
  FiberHandle& operator=(FiberHandle other) noexcept {
    std::swap(fiber_, other.fiber_);
    return *this;
  }
  ~FiberHandle();

  explicit operator bool() const { return fiber_ != nullptr; }
  Fiber* operator->() const { return fiber_; }
  Fiber& operator*() const { return *fiber_; }
  Fiber* get() const { return fiber_; }

  bool ended() const { return fiber_->state() == Fiber::State::kEnded; }
  // The body's status: OK for a void body that returned, kCancelled if it never started, kUnknown
  // with the text of what() if an exception left it. May be called by many and more than once.
  // kDeadlineExceeded / kCancelled of the caller's own leave the fiber running. **Parks.**
  absl::Status Join();
  // As Join(), but throws on the exception that left the body.
  absl::Status JoinOrThrow();
  // Until it has ended, however its caller is interrupted meanwhile: neither time-outs nor Cancel()
  // end the wait. For what must not go away under the fiber, in place of Join(), which a cancelled
  // caller leaves at once. Not a Join(): an exception stays unheard. Requires: not by itself.
  // **Parks.**
  void AwaitEnd();
  void Cancel() { fiber_->Cancel(); }
  // Calls `link` on the fiber itself once its body has ended or turns out never to start, in the
  // order of linking, before joiners wake; at once, and in the caller, if it has ended. It may
  // park. An exception that leaves it is counted and logged.
  FiberLinkId Link(FiberLink link);
  // False if there is none of that number any more: it was called, or is being called.
  bool Unlink(FiberLinkId link);

 private:
  Fiber* fiber_ = nullptr;
};

// Starts `body` (void() or absl::Status()) on the current hub. It runs no earlier than the caller
// parks or yields. kResourceExhausted at the fiber limit or without memory: then nothing runs.
template <typename F>
absl::StatusOr<FiberHandle> Spawn(const SpawnOptions& options, F&& body,
                                  SourceLocation site = SourceLocation::Current());
template <typename F>
absl::StatusOr<FiberHandle> Spawn(std::string_view name, F&& body,
                                  SourceLocation site = SourceLocation::Current()) {
  return Spawn(SpawnOptions{.name = name}, std::forward<F>(body), site);
}

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_FIBER_H_
