#include "runtime/hub/fiber.h"

#include <cstdio>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/exception_text.h"
#include "runtime/hub/fiber_local.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove {

absl::Status WakeStatus(Wake wake, std::string_view while_doing) {
  if (wake == Wake::kCancelled) {
    return absl::CancelledError(absl::StrFormat("%s: the fiber was cancelled", while_doing));
  }
  return absl::DeadlineExceededError(absl::StrFormat("%s: timed out", while_doing));
}

Fiber::Fiber(Hub& hub, const Stack& stack, const Body& body, void* closure,
             const SpawnOptions& options, SourceLocation site)
    : context_(stack.low, static_cast<char*>(closure), &Fiber::Main, this),
      timed_(options.label != nullptr),
      hub_(hub),
      stack_(stack),
      run_(body.run),
      destroy_(body.destroy),
      closure_(closure),
      name_(options.name),
      group_(options.group),
      site_(site),
      label_(options.label) {}

struct Fiber::Links {
  FiberLinkId next_id = 1;
  std::deque<std::pair<FiberLinkId, FiberLink>> waiting;
};

Fiber::~Fiber() = default;

MonotonicNanos Fiber::run_time() const {
  if (state() != State::kRunning || label_ == nullptr) return run_time_;
  return run_time_ + (hub_.ReadClock() - resumed_at_);
}

void Fiber::CountRunTime() {
  const MonotonicNanos run = hub_.ReadClock() - resumed_at_;
  run_time_ += timed_ ? run : run * static_cast<MonotonicNanos>(kRunTimeSample);
  if (timed_) label_->run_time += run;
  resumed_at_ = 0;
}

std::shared_ptr<const FiberLabel> Fiber::SetLabel(std::shared_ptr<const FiberLabel> label) {
  // What ran so far counts by the rule that it began under.
  if (resumed_at_ != 0) CountRunTime();
  timed_ = label != nullptr;
  if (timed_) resumed_at_ = hub_.ReadClock();
  return std::exchange(label_, std::move(label));
}

size_t Fiber::StackHighWaterBytes() const {
  return stack_.high - StackPool::LowestTouched(stack_);
}

void Fiber::Cancel() {
  if (cancelled_ || state() == State::kEnded) return;
  cancelled_ = true;
  Interrupt(Wake::kCancelled);
}

// The flag, then the wake-up: a fiber that is not parked has the flag alone, and meets it at its
// next park (invariant 6).
void Fiber::Interrupt(Wake why) {
  interrupted_ = true;
  hub_.Resume(*this, why);
}

void Fiber::Main(void* self) {
  Fiber& fiber = *static_cast<Fiber*>(self);
  fiber.RunBody();
  fiber.hub_.LeaveEnded(fiber);
}

// Catches everything: what leaves a fiber's body goes to whoever joins it, since below this frame
// there is nothing that could unwind. So does RunLinks(), for what others hung on the fiber.
void Fiber::RunBody() {
  started_ = true;
  if (cancelled_) {
    result_ = absl::CancelledError(
        absl::StrFormat("fiber \"%s\" was cancelled before it started", name_));
  } else {
    try {
      result_ = run_(closure_);
    } catch (...) {
      exception_ = std::current_exception();
      result_ =
          absl::UnknownError(DescribeCurrentException(absl::StrFormat("fiber \"%s\"", name_)));
    }
  }
  // The result is fixed first, then the closure goes, then links hear of it, joiners last (in
  // LeaveEnded): who is told that a fiber has ended finds that what it captured is gone. All of it
  // on the fiber itself, since destructors and links may park.
  destroy_(closure_);
  if (links_ != nullptr) RunLinks();
  // Destructors may make further values.
  while (locals_ != nullptr) delete std::exchange(locals_, nullptr);
}

void Fiber::RunLinks() {
  while (!links_->waiting.empty()) {
    // Off the list before the call: it may park, and meanwhile others link and unlink.
    FiberLink link = std::move(links_->waiting.front().second);
    links_->waiting.pop_front();
    try {
      link(*this, result_);
    } catch (...) {
      ReportUncaught(DescribeCurrentException(absl::StrFormat("a link of fiber \"%s\"", name_)));
    }
  }
}

void Fiber::ReportUncaught(std::string_view what) {
  ++hub_.stats_.uncaught_exceptions;
  absl::FPrintF(stderr, "grove: %s; spawned at %s:%d\n", what, site_.file_name(), site_.line());
}

void Fiber::Unref() {
  if (--references_ > 0) return;
  // It has ended: the hub drops its own reference last.
  if (exception_ != nullptr && !joined_) {
    ReportUncaught(absl::StrFormat("%s; nobody joined it", result_.message()));
  }
  // The fiber lies on the stack that goes back: what is needed of it is copied out before.
  Hub& hub = hub_;
  const Stack stack = stack_;
  this->~Fiber();
  hub.stacks_.Release(stack);
}

WaitFor WaitForEndOf(const Fiber& fiber) {
  const HoldersOf holders = [](const void* joined, FiberIdVisitor visit) {
    visit(static_cast<const Fiber*>(joined)->id());
    return WaitNeeds::kAll;
  };
  return {.kind = WaitFor::Kind::kJoin, .object = &fiber, .holders = holders};
}

FiberHandle::FiberHandle(Fiber* fiber) : fiber_(fiber) {
  ++fiber_->references_;
}

FiberHandle::FiberHandle(const FiberHandle& other) : fiber_(other.fiber_) {
  if (fiber_ != nullptr) ++fiber_->references_;
}

FiberHandle::~FiberHandle() {
  if (fiber_ != nullptr) fiber_->Unref();
}

absl::Status FiberHandle::Join() {
  if (!ended()) {
    Hub& hub = fiber_->hub_;
    Waiter self{.fiber = hub.running()};
    fiber_->joiners_.PushBack(self);
    const Wake wake = hub.Park(WaitForEndOf(*fiber_));
    // Not `wake`: a time-out and the end may have come in the same turn (invariant 3).
    if (!self.granted) {
      fiber_->joiners_.Remove(self);
      return WakeStatus(wake, "join");
    }
  }
  fiber_->joined_ = true;
  return fiber_->result_;
}

void FiberHandle::AwaitEnd() {
  if (ended()) return;
  Hub& hub = fiber_->hub_;
  GROVE_CHECK(fiber_ != hub.running(), "a fiber that waits for its own end never ends");
  Waiter self{.fiber = hub.running()};
  fiber_->joiners_.PushBack(self);
  // Whoever else unparks this fiber, it stays on the list until it is granted.
  while (!self.granted) hub.ParkShielded(WaitForEndOf(*fiber_));
}

FiberLinkId FiberHandle::Link(FiberLink link) {
  if (ended()) {
    link(*fiber_, fiber_->result_);
    return 0;
  }
  if (fiber_->links_ == nullptr) fiber_->links_ = std::make_unique<Fiber::Links>();
  const FiberLinkId id = fiber_->links_->next_id++;
  fiber_->links_->waiting.emplace_back(id, std::move(link));
  return id;
}

bool FiberHandle::Unlink(FiberLinkId link) {
  if (fiber_->links_ == nullptr) return false;
  return std::erase_if(fiber_->links_->waiting,
                       [link](const auto& entry) { return entry.first == link; }) > 0;
}

absl::Status FiberHandle::JoinOrThrow() {
  absl::Status status = Join();
  if (ended() && fiber_->exception_ != nullptr) std::rethrow_exception(fiber_->exception_);
  return status;
}

}  // namespace grove
