// SelectTimer: a moment, as one of the things a Selector waits for.
//
// Unlike a Timeout it interrupts nothing: it is a case like any other. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_SELECT_TIMER_H_
#define GROVE_RUNTIME_SYNC_SELECT_TIMER_H_

#include "absl/time/time.h"
#include "runtime/hub/timer_queue.h"
#include "runtime/sync/select.h"

namespace grove {

// The base that is constructed first: a case keeps a reference to its line.
class SelectTimerLine {
 protected:
  WaitList waiters_;
};

// Ready from its moment on, until Restart().
class SelectTimer final : private SelectTimerLine, private Timer, public SelectCase {
 public:
  // absl::InfiniteDuration() is never ready.
  explicit SelectTimer(absl::Duration after);
  ~SelectTimer() override;

  // Ready `after` from now instead, not before.
  void Restart(absl::Duration after);

 private:
  static void Ring(Timer& timer);
  bool Try() override { return rung_; }

  bool rung_ = false;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_SELECT_TIMER_H_
