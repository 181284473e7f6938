// Timeout: a scope that bounds every park inside it.
//
// When it fires, the park under way, and every later one inside the scope, returns
// kDeadlineExceeded. Scopes nest; fired() tells which one it was, and a form that swallows an
// expiry swallows its own only: WithTimeout() with a fallback, Silence().
//
//   Timeout timeout(absl::Seconds(5));
//   auto got = socket.Read(buffer);
//   if (timeout.fired()) …
//
// Whoever bounds many steps one after the other keeps one Timeout and calls Restart() for each:
// the timer stays where it is among the armed ones, only the deadline moves; when the timer rings
// early it is armed anew. That is one store per step and one ring per `after`, instead of arming
// and cancelling for each. Construction arms a timer, O(log n) in the armed ones.
//
// Lives on the stack of the fiber it bounds, which alone may call it.
#ifndef GROVE_RUNTIME_HUB_TIMEOUT_H_
#define GROVE_RUNTIME_HUB_TIMEOUT_H_

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timer_queue.h"

namespace grove {

class Timeout : private Timer {
 public:
  // absl::InfiniteDuration() never fires; zero or less fires in the next turn.
  explicit Timeout(absl::Duration after);
  ~Timeout();
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

  // Whether it interrupts parks now: since it has fired, until Cancel() or Restart().
  bool fired() const { return fired_; }
  // Whether it will fire if the scope lasts long enough.
  bool pending() const { return !fired_ && deadline_ != kNever; }
  // As if it had been made for absl::InfiniteDuration(): if it has fired, parks are no longer
  // interrupted by it. The timer stays armed until the scope ends or it rings, once, for nothing.
  void Cancel();
  // As if it were made now, for `after`: whether it is pending, has fired or was cancelled.
  void Restart(absl::Duration after);
  // `status`, but OK in place of a kDeadlineExceeded that is this scope's own: it has fired, and no
  // scope around it has.
  absl::Status Silence(absl::Status status) const;
  // Whether `status` is this scope's own expiry, as Silence() sees it.
  bool Caused(const absl::Status& status) const;

  // When the first of the running fiber's scopes fires, in the hub's time; kNever: none will. What
  // a peer is told who cannot be interrupted. Requires: a fiber runs.
  static MonotonicNanos Nearest();

  // The scope around it; null if none. For those who look at a fiber from outside.
  const Timeout* outer() const { return outer_; }

 private:
  friend class Fiber;
  static void Ring(Timer& timer);
  void ArmFor(MonotonicNanos deadline);
  // The fiber is interrupted by what is left.
  void Withdraw();

  Fiber& fiber_;
  Timeout* const outer_;
  MonotonicNanos deadline_ = kNever;
  MonotonicNanos armed_for_ = kNever;  // <= deadline_ while armed
  bool fired_ = false;
};

// Runs `body` (to absl::Status or absl::StatusOr<T>) within `after`, and returns what it returns:
// kDeadlineExceeded if that was too short and the body passes it on. **Parks** as `body`.
template <typename F>
std::invoke_result_t<F&> WithTimeout(absl::Duration after, F&& body) {
  Timeout timeout(after);
  return body();
}

// As above, but `fallback` in place of the scope's own expiry; not of one around it, nor of one
// inside that the body passes on. `body` returns absl::StatusOr<T>.
template <typename F, typename T>
std::invoke_result_t<F&> WithTimeout(absl::Duration after, F&& body, T&& fallback) {
  Timeout timeout(after);
  std::invoke_result_t<F&> result = body();
  if (timeout.Caused(result.status())) result = std::forward<T>(fallback);
  return result;
}

// As above for a body that returns absl::Status: OK in place of the scope's own expiry.
template <typename F>
absl::Status WithSilentTimeout(absl::Duration after, F&& body) {
  Timeout timeout(after);
  return timeout.Silence(body());
}

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_TIMEOUT_H_
