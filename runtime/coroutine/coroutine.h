// Coroutine: a body that hands values back and forth with whoever resumes it.
//
// Resume(in) passes `in` to the body and waits for the next value that it yields; Yield(out) passes
// `out` to the resumer and waits for the next `in`. The body runs as a fiber of its own from the
// first Resume() on, so it may park on anything. Nothing is lost when a time-out ends one of these
// waits: Await() continues it. Generator is the one-way form.
//
// Dropping a coroutine cancels its body, which sees kCancelled from its Yield() and runs to its end
// later; Close() waits for that, and must be used if the body refers to what dies with the scope.
// Hub thread only.
#ifndef GROVE_RUNTIME_COROUTINE_COROUTINE_H_
#define GROVE_RUNTIME_COROUTINE_COROUTINE_H_

#include <memory>
#include <utility>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/wait_list.h"
#include "runtime/sync/queue.h"

namespace grove {

template <typename In, typename Out>
class Coroutine {
  struct State {
    Queue<In> in;    // at most one value: `awaited` and `unanswered` see to it
    Queue<Out> out;  // closed when the body has ended
    WaitList closers;
    bool awaited = false;     // resumed, and the answer has not been taken
    bool unanswered = false;  // yielded, and the next `in` has not been taken
  };

 public:
  // The body's side.
  class Yielder {
   public:
    // kCancelled: the coroutine is to end. kDeadlineExceeded: `out` was passed on; Await() for the
    // next value. kFailedPrecondition: that has not been done. **Parks.**
    absl::StatusOr<In> Yield(Out out);
    // Continues a Yield() that was interrupted. **Parks.**
    absl::StatusOr<In> Await();

   private:
    friend class Coroutine;
    explicit Yielder(State& state) : state_(state) {}
    State& state_;
  };
  using Body = absl::AnyInvocable<absl::Status(In first, Yielder& yielder)>;

  Coroutine(SpawnOptions options, Body body)
      : options_(std::move(options)), body_(std::move(body)) {}
  ~Coroutine() {
    if (fiber_) fiber_.Cancel();
  }
  Coroutine(Coroutine&&) noexcept = default;
  Coroutine& operator=(Coroutine other) noexcept;

  // The next value that the body yields. Once it has ended: kOutOfRange if it returned OK, else its
  // status; an exception that left it is thrown here. kFailedPrecondition: an earlier Resume() is
  // under way (it may be the body's own), or was interrupted and has not been awaited.
  // kResourceExhausted: it could not be started, and never will be. kDeadlineExceeded, kCancelled
  // of the caller's own: the body has got `in`; Await() for the answer. **Parks.**
  absl::StatusOr<Out> Resume(In in);
  // Continues a Resume() that was interrupted. **Parks.**
  absl::StatusOr<Out> Await();
  // Cancels the body and waits until it has ended, whatever happens to the caller. OK also if it
  // never started; kFailedPrecondition from the body itself. **Parks.**
  absl::Status Close();

  bool started() const { return static_cast<bool>(fiber_); }
  bool ended() const { return started() && fiber_.ended(); }
  // A Resume() waits for its answer, or was interrupted.
  bool awaited() const { return state_->awaited; }

 private:
  absl::Status Start();
  absl::StatusOr<Out> Ended();

  SpawnOptions options_;
  Body body_;
  FiberHandle fiber_;
  std::shared_ptr<State> state_ = std::make_shared<State>();  // shared with the fiber
};

// Generator: values that a body yields, one at a time, each made when it is asked for.
//
//   Generator<int> numbers({.name = "numbers"}, [](Generator<int>::Yielder& yielder) { … });
//   for (auto number = numbers.Next(); number.ok(); number = numbers.Next()) …
template <typename Out>
class Generator {
  using Machine = Coroutine<std::monostate, Out>;

 public:
  class Yielder {
   public:
    // kCancelled: the generator is to end; kDeadlineExceeded: nobody has asked for the next value
    // yet, and a further Yield() is kFailedPrecondition before Await(). **Parks.**
    absl::Status Yield(Out out) { return machine_.Yield(std::move(out)).status(); }
    absl::Status Await() { return machine_.Await().status(); }

   private:
    friend class Generator;
    explicit Yielder(typename Machine::Yielder& machine) : machine_(machine) {}
    typename Machine::Yielder& machine_;
  };

  Generator(SpawnOptions options, absl::AnyInvocable<absl::Status(Yielder& yielder)> body)
      : machine_(std::move(options),
                 [body = std::move(body)](std::monostate, typename Machine::Yielder& m) mutable {
                   Yielder yielder(m);
                   return body(yielder);
                 }) {}

  // As Coroutine::Resume; after an interruption the next call waits for the same value. **Parks.**
  absl::StatusOr<Out> Next() { return machine_.awaited() ? machine_.Await() : machine_.Resume({}); }
  absl::Status Close() { return machine_.Close(); }
  bool ended() const { return machine_.ended(); }

 private:
  Machine machine_;
};

template <typename In, typename Out>
Coroutine<In, Out>& Coroutine<In, Out>::operator=(Coroutine other) noexcept {
  std::swap(options_, other.options_);
  std::swap(body_, other.body_);
  std::swap(fiber_, other.fiber_);
  std::swap(state_, other.state_);
  return *this;
}

template <typename In, typename Out>
absl::StatusOr<In> Coroutine<In, Out>::Yielder::Yield(Out out) {
  if (state_.unanswered) {
    return absl::FailedPreconditionError("yield: the last value was not answered yet; await that");
  }
  state_.unanswered = true;
  state_.out.TryPut(std::move(out));
  return Await();
}

template <typename In, typename Out>
absl::StatusOr<In> Coroutine<In, Out>::Yielder::Await() {
  if (!state_.unanswered) return absl::FailedPreconditionError("await: nothing was yielded");
  absl::StatusOr<In> in = state_.in.Get();
  if (in.ok()) state_.unanswered = false;
  return in;
}

template <typename In, typename Out>
absl::Status Coroutine<In, Out>::Start() {
  // Closes `out` also when the body throws or never runs: it dies with the closure.
  struct Guard {
    std::shared_ptr<State> state;
    explicit Guard(std::shared_ptr<State> s) : state(std::move(s)) {}
    Guard(Guard&&) noexcept = default;
    ~Guard() {
      if (state == nullptr) return;
      state->out.Close();
      while (Waiter* closer = state->closers.Grant()) Hub::Current()->Unpark(*closer->fiber);
    }
  };
  absl::StatusOr<FiberHandle> fiber =
      Spawn(options_, [guard = Guard(state_), body = std::move(body_)]() mutable -> absl::Status {
        Yielder yielder(*guard.state);
        absl::StatusOr<In> first = guard.state->in.Get();
        if (!first.ok()) return first.status();
        return body(*std::move(first), yielder);
      });
  if (!fiber.ok()) return fiber.status();
  fiber_ = *std::move(fiber);
  return absl::OkStatus();
}

template <typename In, typename Out>
absl::StatusOr<Out> Coroutine<In, Out>::Ended() {
  if (absl::Status status = fiber_.JoinOrThrow(); !status.ok()) return status;
  return absl::OutOfRangeError("the coroutine has ended");
}

template <typename In, typename Out>
absl::StatusOr<Out> Coroutine<In, Out>::Resume(In in) {
  if (state_->awaited) {
    return absl::FailedPreconditionError("resume: the last resume was not answered yet");
  }
  if (ended()) return Ended();
  if (!started()) {
    if (state_->out.closed()) return absl::FailedPreconditionError("resume: it could not start");
    if (absl::Status status = Start(); !status.ok()) return status;
  }
  state_->awaited = true;
  state_->in.TryPut(std::move(in));
  return Await();
}

template <typename In, typename Out>
absl::StatusOr<Out> Coroutine<In, Out>::Await() {
  if (!state_->awaited) return absl::FailedPreconditionError("await: nothing was resumed");
  absl::StatusOr<Out> out = state_->out.Get();
  // The caller's own time-out or cancellation; else Get fails only once the body has ended.
  if (!out.ok() && !absl::IsOutOfRange(out.status())) return out;
  state_->awaited = false;
  return out.ok() ? std::move(out) : Ended();
}

template <typename In, typename Out>
absl::Status Coroutine<In, Out>::Close() {
  if (!started() || ended()) return absl::OkStatus();
  Hub& hub = *Hub::Current();
  if (hub.running() == fiber_.get()) {
    return absl::FailedPreconditionError("close: a body can't wait for its own end");
  }
  fiber_.Cancel();
  // Not a join, which a time-out or cancellation of the caller would end.
  while (!state_->out.closed()) {
    Waiter self{.fiber = hub.running()};
    state_->closers.PushBack(self);
    while (!self.granted) {
      hub.ParkShielded(WaitForEndOf(*fiber_));
    }
  }
  return absl::OkStatus();
}

}  // namespace grove

#endif  // GROVE_RUNTIME_COROUTINE_COROUTINE_H_
