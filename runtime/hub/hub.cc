// The turn, and how fibers take turns in it.
//
// A turn is five steps, and their order is the design (invariant 4). The inbox first: a posted call
// may spawn or wake, and what it woke runs in this turn. Then the timers, so that a deadline that
// has passed is seen before the code it bounds goes on. Then the fibers. The poll comes last, when
// it is known whether anything is left to do, and so for how long it may wait; its events make
// fibers runnable for the next turn. `now_` is read once, when the poll returns: within a turn time
// stands still, and all deadlines of a turn are judged by the same moment.
//
// Between fibers there is no loop. Who parks takes the next off the run queue itself and jumps to
// it (NextContext, SwitchAway): one jump a hand-over, where going by way of the loop would take
// two. The loop gets the thread back for one of two reasons only: the queue is empty, or the turn's
// budget of resumes is spent. The budget is what keeps two fibers that yield to each other from
// starving the descriptors and the timers; it is a count and not a time, since a clock costs more
// than a jump.
//
// Who waits is parked, and is on no list of the hub's: what it waits for knows it, and calls
// Unpark(). That is all there is (invariant 3): sleeping, joining, queues and I/O are built of it.
// Three things follow. A waker may wake for nothing, so who parks looks again. A fiber may be made
// runnable by its timer in the same turn in which somebody hands it a value, so what counts is
// `granted`, not why the park ended. And an interruption is kept in the fiber (`interrupted_`), not
// in the park: it is met at the next park if none is under way (invariant 6).
//
// Nothing here is locked (invariant 2): the inbox is the one door for other threads.
#include "runtime/hub/hub.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "absl/cleanup/cleanup.h"
#include "runtime/hub/check.h"
#include "runtime/hub/fiber_local.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

// Of a fiber that waited for the poller, fetched while the one before it runs: from where it
// stopped up, its frames and what lies in them, and down, where its next calls will be. A
// connection that reads a request and answers it touches about that much; more was slower.
constexpr int kWarmBytesAbove = 24 * 64;
constexpr int kWarmBytesBelow = 8 * 64;

// How far from the front of the run queue a shuffled hub looks.
constexpr uint64_t kShuffleDepth = 16;

absl::StatusOr<std::unique_ptr<Poller>> DefaultPoller() {
  const char* const name = getenv("GROVE_HUB");
  if (name == nullptr) return Poller::Epoll();
  absl::StatusOr<std::unique_ptr<Poller>> poller = Poller::ByName(name);
  if (absl::IsInvalidArgument(poller.status())) {
    return absl::InvalidArgumentError(StrCat("GROVE_HUB: ", poller.status().message()));
  }
  return poller;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Hub>> Hub::Create(HubOptions options) {
  std::unique_ptr<Poller> poller = std::move(options.poller);
  if (poller == nullptr) {
    absl::StatusOr<std::unique_ptr<Poller>> made = DefaultPoller();
    if (!made.ok()) return made.status();
    poller = *std::move(made);
  }
  static const int fork_rule = pthread_atfork(nullptr, nullptr, &Hub::AfterForkInChild);
  if (fork_rule != 0) return ErrnoStatus(fork_rule, "pthread_atfork");
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) return ErrnoStatus(errno, "eventfd");
  auto hub = std::unique_ptr<Hub>(new Hub(std::move(options), std::move(poller), wake_fd));
  // The table skips tokens of no registration (invariant 5), so an event of the inbox only ends the
  // wait.
  if (absl::Status added = hub->poller_->Add(wake_fd, Poller::kWakeToken, Poller::Mode::kEdge);
      !added.ok()) {
    return added;
  }
  return hub;
}

Hub::Hub(HubOptions options, std::unique_ptr<Poller> poller, int wake_fd)
    : options_(std::move(options)),
      clock_(options_.clock != nullptr ? options_.clock : &Clock::Monotonic()),
      poller_(std::move(poller)),
      wake_fd_(wake_fd),
      shuffle_(options_.shuffle_seed),
      now_(clock_->Now()),
      stacks_({.stack_bytes = options_.stack_bytes, .stacks_max = options_.fibers_max}),
      descriptors_(*this, *poller_) {}

// The kernel's poller is shared with the parent: what the child did to it would be done to the
// parent's. So the child's copy of the hub stops at its next step.
void Hub::AfterForkInChild() {
  if (current_ == nullptr) return;
  current_->forked_ = true;
  current_->turn_ends_at_ = 0;
  current_ = nullptr;
}

Hub::~Hub() {
  GROVE_CHECK(current_ != this, "a hub can't be destroyed while it runs");
  close(wake_fd_);
}

absl::Status Hub::RunMain(absl::FunctionRef<absl::Status()> body) {
  GROVE_CHECK(current_ == nullptr, "this thread runs a hub already");
  current_ = this;
  native_.BindToThread();
  leaving_.BindToThread();
  exceptions_.BindToThread();
  const ExceptionState::Aside aside(exceptions_);
  pulse_.Busy();
  now_ = clock_->Now();
  absl::StatusOr<FiberHandle> main = Spawn("main", [&body] { return body(); });
  absl::Status result = main.status();
  std::exception_ptr exception;
  if (main.ok()) {
    // Polling comes last in a turn, and not at all once the turn has brought the end.
    for (RunReady(); !main->ended(); RunReady()) Poll();
    // Again and again: who is cancelled may spawn others on its way out.
    for (CancelAll(); stats_.fibers_live > 0; CancelAll()) {
      RunReady();
      if (stats_.fibers_live > 0) Poll();
    }
    DropScheduledCalls();
    main->get()->joined_ = true;
    result = main->get()->result_;
    exception = main->get()->exception_;
    *main = FiberHandle();
  }
  pulse_.Idle();
  current_ = nullptr;
  if (exception != nullptr) std::rethrow_exception(exception);
  return result;
}

void Hub::CancelAll() {
  for (Fiber* fiber : fibers_) {
    if (fiber != nullptr) fiber->Cancel();
  }
}

void Hub::RunReady() {
  ++stats_.turns;
  DrainInbox();
  FireTimers();
  RunFibers();
  if (turn_hook_) turn_hook_(*this);
}

void Hub::DrainInbox() {
  if (!inbox_pending_.load(std::memory_order_acquire)) return;
  std::vector<absl::AnyInvocable<void()>> calls;
  {
    const std::lock_guard lock(inbox_mutex_);
    calls.swap(inbox_);
    // All under the lock, as Post() does all of its part: a call is either taken here, or its
    // poster finds the flag down and writes anew. Read apart from the flag, the eventfd could lose
    // the write of a call that stays in the inbox, and the hub would sleep on it.
    inbox_pending_.store(false, std::memory_order_release);
    uint64_t count;
    [[maybe_unused]] const ssize_t drained = read(wake_fd_, &count, sizeof(count));
  }
  // Outside of the lock: a call may post, and other threads wait for it.
  for (absl::AnyInvocable<void()>& call : calls) RunCall(call, nullptr);
}

void Hub::FireTimers() {
  const MonotonicNanos due = timers_.next_deadline();
  if (due > now_) return;
  const double late = static_cast<double>(now_ - due) / 1e9;
  const auto bound =
      std::lower_bound(HubStats::kLagBounds.begin(), HubStats::kLagBounds.end(), late);
  ++stats_.lag_counts[bound - HubStats::kLagBounds.begin()];
  stats_.lag_seconds_sum += late;
  stats_.timers_fired += timers_.Fire(now_);
}

void Hub::RunFibers() {
  turn_ends_at_ = pulse_.Resumes() + static_cast<uint64_t>(options_.resumes_per_turn);
  if (runnable_.empty()) return;
  Context::Switch(native_, NextContext());
  GROVE_CHECK(!forked_,
              "a fiber of a forked child parked, yielded or ended: its hub is the parent's");
  running_ = nullptr;
}

void Hub::Poll() {
  // Polled in every turn, with fibers left to run too: then without waiting (invariant 4). A call
  // that is posted after the look at the flag has written to the eventfd, which ends the wait.
  MonotonicNanos deadline = timers_.next_deadline();
  if (!runnable_.empty() || inbox_pending_.load(std::memory_order_acquire)) deadline = 0;
  ++stats_.polls;
  pulse_.Idle();
  const MonotonicNanos turned = clock_->Now();
  last_turn_ = turned - now_;
  poller_->Wait(turned, deadline, events_);
  pulse_.Busy();
  now_ = clock_->Now();
  for (const Poller::Event& event : events_) descriptors_.Deliver(event);
  events_.clear();
}

// With hundreds of connections each finds its stack in the outer caches at best, a line after the
// other; asked for all at once, and ahead, they come while the processor is busy elsewhere.
void Hub::Warm(Fiber& fiber) {
  fiber.cold_ = false;
  const char* const at = static_cast<const char*>(fiber.context_.stack_pointer());
  constexpr int kLine = 64;
  constexpr int kForWriting = 1;
  for (int offset = -kWarmBytesBelow; offset < kWarmBytesAbove; offset += kLine) {
    __builtin_prefetch(at + offset, kForWriting);  // does nothing where no memory is
  }
}

// The context that gets the thread next.
[[gnu::always_inline]] inline Context& Hub::NextContext() {
  const uint64_t resumes = pulse_.Resumes();
  if (runnable_.empty() || resumes >= turn_ends_at_) {
    running_ = nullptr;
    return native_;
  }
  if (shuffle_ != 0) [[unlikely]]
    Shuffle();
  Fiber& next = runnable_.Pop();
  if (Fiber* const after = runnable_.front(); after != nullptr && after->cold_) Warm(*after);
  next.cold_ = false;
  next.state_.Enter(FiberState::kRunning);
  ++next.switches_;
  pulse_.SetResumes(resumes + 1);
  running_ = &next;
  if (next.timed_ || resumes >= sample_at_) [[unlikely]]
    StartTiming(next);
  return next.context_;
}

void Hub::StartTiming(Fiber& fiber) {
  if (pulse_.Resumes() > sample_at_) sample_at_ += Fiber::kRunTimeSample;
  fiber.resumed_at_ = clock_->Now();
}

// Brings a fiber to the front that is not first in line.
void Hub::Shuffle() {
  // xorshift64 (Marsaglia, "Xorshift RNGs", 2003): enough for an order that nobody chose.
  shuffle_ ^= shuffle_ << 13;
  shuffle_ ^= shuffle_ >> 7;
  shuffle_ ^= shuffle_ << 17;
  const uint64_t rotations = shuffle_ % std::min<uint64_t>(run_queue_length(), kShuffleDepth);
  for (uint64_t i = 0; i < rotations; ++i) runnable_.Rotate();
}

[[gnu::always_inline]] inline void Hub::SwitchAway(Fiber& self) {
  if (self.resumed_at_ != 0) [[unlikely]]
    self.CountRunTime();
  Context& next = NextContext();
  if (&next != &self.context_) Context::Switch(self.context_, next);
}

Wake Hub::interruption() const {
  if (!running_->interrupted_) return Wake::kReady;
  return running_->cancelled_ ? Wake::kCancelled : Wake::kTimedOut;
}

[[gnu::always_inline]] inline void Hub::CheckMayPark(const Fiber& self) const {
  // One branch: a signal handler on the alternate stack lies outside of the running fiber's.
  const uintptr_t below =
      reinterpret_cast<uintptr_t>(&self) - reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  const bool elsewhere = below >= stacks_.stack_bytes();
  const int forbidden = int{exceptions_.InException()} | park_bans_.locks() |
                        park_bans_.signal_handlers() | int{elsewhere};
  if (forbidden != 0) [[unlikely]]
    DieParking();
}

void Hub::DieParking() const {
  GROVE_CHECK(!exceptions_.InException(), "parked in a catch block or while unwinding");
  GROVE_CHECK(park_bans_.locks() == 0, "parked with a ThreadMutex held: other threads wait for it");
  GROVE_CHECK(false, "parked in a signal handler");
}

void Hub::DieParkingOutside() {
  GROVE_CHECK(false, "parked outside a fiber: only fibers may wait");
}

void Hub::DieWithoutHub() {
  GROVE_CHECK(false, "this thread runs no hub: fibers are spawned inside of Hub::Run()");
}

void Hub::ParkRunning() {
  Fiber* const self = running_;
  if (self->interrupted_) [[unlikely]] {
    self->wake_ = interruption();
    return;
  }
  CheckMayPark(*self);
  if (self->watches_ != nullptr) [[unlikely]]
    TellWatches(*self);
  // Before the hand-over: whoever runs next may unpark this one, which must be found parked.
  self->state_.Enter(FiberState::kParked);
  SwitchAway(*self);
}

void Hub::ParkShielded(const WaitFor& waiting_for) {
  Fiber* const self = running_;
  if (self == nullptr) DieParkingOutside();
  CheckMayPark(*self);
  self->waiting_for_ = waiting_for;
  if (self->watches_ != nullptr) [[unlikely]]
    TellWatches(*self);
  self->shielded_ = true;
  self->state_.Enter(FiberState::kParked);
  SwitchAway(*self);
  self->shielded_ = false;
}

void Hub::Resume(Fiber& fiber, Wake why) {
  // Only what is parked goes on the queue, so nobody is on it twice. What woke it first is told; a
  // hand-over that comes second is in the waiter, `granted` (invariant 3).
  if (fiber.state() != FiberState::kParked) return;
  if (fiber.shielded_ && why != Wake::kReady) return;
  fiber.state_.Enter(FiberState::kRunnable);
  fiber.wake_ = why;
  runnable_.Push(fiber);
}

void Hub::UnparkCold(Fiber& fiber) {
  fiber.cold_ = fiber.state() == FiberState::kParked;
  Unpark(fiber);
}

void Hub::Yield() {
  Fiber* const self = running_;
  GROVE_CHECK(self != nullptr, "yielded outside a fiber");
  CheckMayPark(*self);
  self->state_.Enter(FiberState::kRunnable);
  runnable_.Push(*self);
  SwitchAway(*self);
}

absl::StatusOr<FiberHandle> Hub::SpawnFiber(const Fiber::Body& body, const SpawnOptions& options,
                                            SourceLocation site) {
  std::unique_ptr<FiberLocalMap> locals;
  if (running_ != nullptr && running_->locals_ != nullptr) {
    locals = running_->locals_->CopyInherited();
  }
  absl::StatusOr<Stack> stack = stacks_.Acquire();
  if (!stack.ok()) return stack.status();
  if (stack->index >= fibers_.size()) fibers_.resize(stack->index + 1);
  // From the top: the Fiber, its closure, then the frames.
  constexpr uintptr_t kLine = 64;
  const uintptr_t fiber_at = (reinterpret_cast<uintptr_t>(stack->high) - sizeof(Fiber)) & -kLine;
  const uintptr_t closure_at = (fiber_at - body.bytes) & -std::max<uintptr_t>(body.align, 16);
  void* const closure = reinterpret_cast<void*>(closure_at);
  // The body is copied here: what its captures throw must not cost the pool a stack.
  absl::Cleanup give_back = [&] { stacks_.Release(*stack); };
  body.construct(closure);
  std::move(give_back).Cancel();
  SpawnOptions inherited = options;
  if (inherited.label == nullptr && running_ != nullptr) inherited.label = running_->label_;
  Fiber* const fiber =
      new (reinterpret_cast<void*>(fiber_at)) Fiber(*this, *stack, body, closure, inherited, site);
  fiber->id_ = next_fiber_id_++;
  fiber->locals_ = locals.release();
  fiber->spawned_at_ = now_;
  fibers_[stack->index] = fiber;
  ++stats_.spawned;
  ++stats_.fibers_live;
  runnable_.Push(*fiber);
  return FiberHandle(fiber);
}

void Hub::LeaveEnded(Fiber& self) {
  if (self.resumed_at_ != 0) self.CountRunTime();
  // Ended first: a joiner that is woken finds it so, and who comes later doesn't stand in line. Out
  // of the registry before the last reference may go: nobody visits a fiber whose memory is free.
  self.state_.Enter(FiberState::kEnded);
  while (Waiter* joiner = self.joiners_.Grant()) Unpark(*joiner->fiber);
  fibers_[self.stack_.index] = nullptr;
  ++stats_.ended;
  --stats_.fibers_live;
  // The stack goes back to the pool under our feet: nothing takes it before we have left.
  self.Unref();
  Context& next = NextContext();
  Context::Leave(leaving_, next);
}

HubStats Hub::Stats() const {
  HubStats stats = stats_;
  stats.switches = pulse_.Resumes();
  stats.run_queue_length = run_queue_length();
  stats.timers_armed = timers_.size();
  stats.descriptors = descriptors_.size();
  stats.io_calls = descriptors_.calls();
  stats.stacks = stacks_.made();
  stats.stack_bytes = stacks_.made() * stacks_.stack_bytes();
  return stats;
}

const Fiber* Hub::OverflowedFiber(const void* address) const {
  uint32_t index = 0;
  if (!stacks_.IsGuard(address, &index) || index >= fibers_.size()) return nullptr;
  return fibers_[index];
}

size_t Hub::VisitFibers(size_t cursor, size_t limit,
                        absl::FunctionRef<void(const Fiber&)> visit) const {
  size_t seen = 0;
  for (; cursor < fibers_.size() && seen < limit; ++cursor) {
    if (fibers_[cursor] == nullptr) continue;
    visit(*fibers_[cursor]);
    ++seen;
  }
  return cursor < fibers_.size() ? cursor : 0;
}

void Hub::Post(absl::AnyInvocable<void()> call) {
  const std::lock_guard lock(inbox_mutex_);
  inbox_.push_back(std::move(call));
  if (inbox_pending_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

absl::Status Sleep(absl::Duration duration) {
  GROVE_CHECK(Hub::Current() != nullptr && Hub::Current()->running() != nullptr,
              "slept outside a fiber: only fibers may wait");
  Hub& hub = *Hub::Current();
  if (duration <= absl::ZeroDuration()) {
    hub.Yield();
    const Wake wake = hub.interruption();
    return wake == Wake::kReady ? absl::OkStatus() : WakeStatus(wake, "sleep");
  }
  struct Alarm : Timer {
    Alarm(Hub& hub, Fiber& fiber) : Timer(&Ring), hub(hub), fiber(fiber) {}
    static void Ring(Timer& timer) {
      Alarm& self = static_cast<Alarm&>(timer);
      self.rung = true;
      self.hub.Unpark(self.fiber);
    }
    Hub& hub;
    Fiber& fiber;
    bool rung = false;
  } alarm(hub, *hub.running());
  hub.timers().Arm(alarm, DeadlineAfter(hub.now(), duration));
  const Wake wake = hub.Park({.kind = WaitFor::Kind::kTimer});
  hub.timers().Cancel(alarm);
  if (alarm.rung) return absl::OkStatus();
  return WakeStatus(wake, "sleep");
}

void Yield() {
  GROVE_CHECK(Hub::Current() != nullptr, "yielded outside a fiber");
  Hub::Current()->Yield();
}

}  // namespace grove
