// Hub: the loop of one thread. It owns the run queue, the timers and the poller, and runs fibers.
//
// A turn: drain the inbox, fire timers, run runnable fibers within a budget, poll until the next
// deadline, update now. A fiber that parks hands over straight to the next runnable one; the loop
// itself gets the thread back when the queue is empty or the budget is spent, so I/O and timers are
// served in every turn even if fibers keep yielding.
// One hub per thread; fibers never migrate. All but the labelled section is for the hub's thread.
//
// A process that a fiber forks has no hub: Current() is null there, and the fiber must exec, _exit
// or make a hub of its own, which shares nothing with the parent's. Were it to park, yield or end,
// the child would go on with the parent's fibers on the parent's poller, so that fails a CHECK.
#ifndef GROVE_RUNTIME_HUB_HUB_H_
#define GROVE_RUNTIME_HUB_HUB_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/descriptor_table.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/gdb_table.h"
#include "runtime/hub/hub_options.h"
#include "runtime/hub/hub_pulse.h"
#include "runtime/hub/hub_stats.h"
#include "runtime/hub/park_bans.h"
#include "runtime/hub/poller.h"
#include "runtime/hub/run_queue.h"
#include "runtime/hub/scheduled_call.h"
#include "runtime/hub/thread_mutex.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/switch/exception_state.h"
#include "runtime/switch/stack_pool.h"

namespace grove {

class Hub {
 public:
  // kInvalidArgument: GROVE_HUB names no poller. Else what the kernel refuses.
  static absl::StatusOr<std::unique_ptr<Hub>> Create(HubOptions options = {});
  // Requires: not running.
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // The hub that runs on this thread; null if none does.
  static Hub* Current() { return current_; }
  // A failed CHECK if none does.
  static Hub& CurrentOrDie() {
    return current_ != nullptr ? *current_ : (DieWithoutHub(), *current_);
  }

  // Runs `body` as the main fiber, and turns until it has ended. Then every fiber that is left is
  // cancelled, and Run returns when all have ended. Returns the status of `body` (absl::Status()
  // or void()); an exception that leaves it is thrown here.
  template <typename F>
  absl::Status Run(F&& body) {
    return RunMain([&body]() -> absl::Status {
      if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        body();
        return absl::OkStatus();
      } else {
        return body();
      }
    });
  }

  // --- From a running fiber --------------------------------------------------------------------

  Fiber* running() const { return running_; }
  // Time as of this turn's start.
  MonotonicNanos now() const { return now_; }
  // Reads the clock.
  MonotonicNanos ReadClock() { return clock_->Now(); }
  // How long the turn before this one took, polling aside.
  MonotonicNanos last_turn() const { return last_turn_; }
  // Runnable fibers, the running one aside.
  size_t run_queue_length() const { return runnable_.pushed() - pulse_.Resumes(); }

  // What the next park of the running fiber would return at once: kReady if it would park.
  Wake interruption() const;
  // Suspends the running fiber until Unpark(), a Timeout in scope, or Cancel(); returns at once if
  // one of the latter two has happened already. Everything that waits is built on this pair.
  // Requires: not in a catch block. **Parks.**
  Wake Park(const WaitFor& waiting_for) {
    Fiber* const self = running_;
    if (self == nullptr) [[unlikely]]
      DieParkingOutside();
    // Inlined for the stores: a WaitFor passed through memory is written in small pieces and read
    // in large ones, which cost a third of a park.
    self->waiting_for_ = waiting_for;
    ParkRunning();
    return self->wake_;
  }
  // As Park, but neither time-outs nor Cancel() end it: for waits that must be waited out because
  // someone else uses the fiber's memory. **Parks.**
  void ParkShielded(const WaitFor& waiting_for);
  // Makes a parked fiber runnable. No effect on one that is not parked.
  void Unpark(Fiber& fiber) { Resume(fiber, Wake::kReady); }
  // The same for one that has waited for the poller: its memory is fetched before its turn comes.
  void UnparkCold(Fiber& fiber);
  // To the end of the run queue. **Parks.**
  void Yield();
  // Cancels all fibers, the main one too: Run() returns when they have ended.
  void Abort() { CancelAll(); }

  // --- Scheduled calls and descriptors ----------------------------------------------------------

  TimerQueue& timers() { return timers_; }
  DescriptorTable& descriptors() { return descriptors_; }
  ParkBans& park_bans() { return park_bans_; }

  // Of Spawn(). What the body's constructor throws is passed on, and no fiber was made.
  absl::StatusOr<FiberHandle> SpawnFiber(const Fiber::Body& body, const SpawnOptions& options,
                                         SourceLocation site);

  // --- Watching ---------------------------------------------------------------------------------

  HubStats Stats() const;
  // Progress, for a Watchdog on another thread.
  HubPulse& pulse() { return pulse_; }
  // Calls `visit` for live fibers in registry order from slot `cursor` on, until it has seen
  // `limit`. Returns the next cursor, or 0 at the end. Start with 0. A fiber that lives throughout
  // a whole walk is seen exactly once.
  size_t VisitFibers(size_t cursor, size_t limit,
                     absl::FunctionRef<void(const Fiber&)> visit) const;
  // The fiber in whose stack's guard region `address` lies: what overflowed. Null if none does. May
  // be called in a signal handler on the hub's thread.
  const Fiber* OverflowedFiber(const void* address) const;
  // Called at the end of every turn, before polling.
  void set_turn_hook(std::function<void(Hub&)> hook) { turn_hook_ = std::move(hook); }

  // --- Any thread -------------------------------------------------------------------------------

  // Runs `call` on the hub's thread in its next turn, outside any fiber: it must not park. An
  // exception that leaves it is counted and logged. What comes after Run() waits for the next one.
  void Post(absl::AnyInvocable<void()> call);

 private:
  friend class Fiber;          // ends and wakes itself, and gives its stack back
  friend class ScheduledCall;  // hangs on the hub's list of them
  friend struct GdbTable;      // tells debuggers where members lie

  Hub(HubOptions options, std::unique_ptr<Poller> poller, int wake_fd);

  absl::Status RunMain(absl::FunctionRef<absl::Status()> body);
  void RunReady();
  void DrainInbox();
  void FireTimers();
  void RunFibers();
  void Poll();
  // What ended the park is in the fiber's wake_.
  void ParkRunning();
  void Resume(Fiber& fiber, Wake why);
  // Hands over to the next runnable fiber or to the loop; returns when `self` runs again.
  void SwitchAway(Fiber& self);
  Context& NextContext();
  static void Warm(Fiber& fiber);
  // Of the run of `fiber` that begins now.
  void StartTiming(Fiber& fiber);
  // Dies if `self`, which runs, is where no fiber may park.
  void CheckMayPark(const Fiber& self) const;
  static void TellWatches(const Fiber& self);  // park_watch.cc
  [[noreturn]] void DieParking() const;
  [[noreturn]] static void DieParkingOutside();
  [[noreturn]] static void DieWithoutHub();
  // Does not return; see Context::Leave().
  void LeaveEnded(Fiber& self);
  void CancelAll();
  void Shuffle();
  void DropScheduledCalls();  // scheduled_call.cc
  // Runs what is no fiber; what it throws is counted and logged. `site`: where it was scheduled;
  // null: it was posted. scheduled_call.cc
  void RunCall(absl::AnyInvocable<void()>& call, const SourceLocation* site);

  // Read wherever anything waits. Fibers never migrate, so even a cached address of it is right.
  // The hubs are in the executable, not in a library that is loaded later: no call to find it.
  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local Hub* current_ = nullptr;
  static void AfterForkInChild();

  // Constant after construction.
  const HubOptions options_;
  Clock* const clock_;
  const std::unique_ptr<Poller> poller_;
  const int wake_fd_;
  const HubRegistration registration_{*this};

  // Hub thread only. First what every switch uses, on a cache line.
  alignas(64) Fiber* running_ = nullptr;
  RunQueue runnable_;
  uint64_t turn_ends_at_ = 0;  // in resumes, as pulse_ counts them
  uint64_t sample_at_ = Fiber::kRunTimeSample;
  ExceptionState exceptions_;
  ParkBans park_bans_;
  uint64_t shuffle_ = 0;  // the last number drawn; 0: first in, first out
  MonotonicNanos now_ = 0;
  MonotonicNanos last_turn_ = 0;
  Context native_;
  Context leaving_;  // where a fiber that has ended leaves from: nobody comes back to it
  TimerQueue timers_;
  ScheduledCall::State* scheduled_calls_ = nullptr;  // doubly linked; armed, each owns itself
  StackPool stacks_;
  std::vector<Fiber*> fibers_;  // by stack index
  DescriptorTable descriptors_;
  std::vector<Poller::Event> events_;
  uint64_t next_fiber_id_ = 1;
  bool forked_ = false;  // this is the copy of a hub in a forked child
  HubStats stats_;       // but for `switches`, which pulse_ counts
  HubPulse pulse_;
  std::function<void(Hub&)> turn_hook_;

  // Any thread. Not absl::Mutex: TSan does not see the one inside the distribution's abseil.
  ThreadMutex inbox_mutex_;
  std::vector<absl::AnyInvocable<void()>> inbox_;  // guarded by inbox_mutex_
  std::atomic<bool> inbox_pending_{false};
};

// Parks the current fiber for `duration` of the hub's time; zero or less lets the others run once.
// kCancelled / kDeadlineExceeded (an enclosing Timeout). Requires: a fiber runs. **Parks.**
absl::Status Sleep(absl::Duration duration);
// Lets the others run. Requires: a fiber runs. **Parks.**
void Yield();

template <typename F>
absl::StatusOr<FiberHandle> Spawn(const SpawnOptions& options, F&& body, SourceLocation site) {
  using Closure = std::decay_t<F>;
  static_assert(sizeof(Closure) <= 4096, "a fiber's closure lives on its stack: capture less");
  auto run = [](void* closure) -> absl::Status {
    if constexpr (std::is_void_v<std::invoke_result_t<Closure&>>) {
      (*static_cast<Closure*>(closure))();
      return absl::OkStatus();
    } else {
      return (*static_cast<Closure*>(closure))();
    }
  };
  auto destroy = [](void* closure) { static_cast<Closure*>(closure)->~Closure(); };
  return Hub::CurrentOrDie().SpawnFiber(
      {sizeof(Closure), alignof(Closure), run, destroy,
       [&body](void* place) { new (place) Closure(std::forward<F>(body)); }},
      options, site);
}

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_HUB_H_
