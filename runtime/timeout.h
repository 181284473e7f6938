// Timeout: a scope that bounds every park inside it.
//
// When it fires, the park under way, and every later one inside the scope, returns
// kDeadlineExceeded. Scopes nest; fired() tells which one it was. Costs one armed timer.
//
//   Timeout timeout(absl::Seconds(5));
//   auto got = socket.Read(buffer);
//   if (timeout.fired()) …
//
// Lives on the stack of the fiber it bounds.
#ifndef GROVE_RUNTIME_TIMEOUT_H_
#define GROVE_RUNTIME_TIMEOUT_H_

#include "absl/time/time.h"
#include "runtime/fiber.h"
#include "runtime/timer_queue.h"

namespace grove {

class Timeout : private Timer {
 public:
  // absl::InfiniteDuration() never fires; zero or less fires in the next turn.
  explicit Timeout(absl::Duration after);
  ~Timeout();

  bool fired() const { return fired_; }

 private:
  friend class Fiber;
  static void Fire(Timer& timer);

  Fiber& fiber_;
  Timeout* const outer_;
  bool fired_ = false;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TIMEOUT_H_
