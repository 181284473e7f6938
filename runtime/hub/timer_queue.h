// TimerQueue: deadlines of parked fibers and scheduled calls.
//
// Told the time, it fires the expired timers in deadline order, first armed first among equals.
// A timer armed while timers fire waits for the next call. Reads no clock and never parks.
// Arm and Cancel are O(log n) in a 4-ary heap whose entries carry their keys: the common cases,
// a deadline later than all others and cancelling a young timer, touch one or two cache lines.
// Owned by one Hub; hub thread only.
#ifndef GROVE_RUNTIME_HUB_TIMER_QUEUE_H_
#define GROVE_RUNTIME_HUB_TIMER_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/hub/clock.h"

namespace grove {

class Timer {
 public:
  using Callback = void (*)(Timer& timer);

  explicit Timer(Callback fire) : fire_(fire) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const { return slot_ != kUnarmed; }

 private:
  friend class TimerQueue;
  static constexpr uint32_t kUnarmed = UINT32_MAX;

  const Callback fire_;
  uint32_t slot_ = kUnarmed;
};

class TimerQueue {
 public:
  // Requires: not armed. The timer must be cancelled or fired before it dies.
  void Arm(Timer& timer, MonotonicNanos deadline);
  // No effect on a timer that is not armed.
  void Cancel(Timer& timer);
  // Fires all that were armed before this call and are due. Returns how many.
  size_t Fire(MonotonicNanos now);

  MonotonicNanos next_deadline() const { return heap_.empty() ? kNever : heap_[0].deadline; }
  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    MonotonicNanos deadline;
    uint64_t sequence;
    Timer* timer;
  };
  static bool Before(const Entry& a, const Entry& b) {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }
  void Place(uint32_t slot, const Entry& entry);
  void SiftUp(uint32_t slot, const Entry& entry);
  void SiftDown(uint32_t slot, const Entry& entry);
  void RemoveAt(uint32_t slot);

  std::vector<Entry> heap_;
  uint64_t next_sequence_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_TIMER_QUEUE_H_
