#include "runtime/hub/timer_queue.h"

namespace grove {
namespace {

constexpr uint32_t kArity = 4;

}  // namespace

void TimerQueue::Place(uint32_t slot, const Entry& entry) {
  heap_[slot] = entry;
  entry.timer->slot_ = slot;
}

void TimerQueue::SiftUp(uint32_t slot, const Entry& entry) {
  while (slot > 0) {
    const uint32_t parent = (slot - 1) / kArity;
    if (!Before(entry, heap_[parent])) break;
    Place(slot, heap_[parent]);
    slot = parent;
  }
  Place(slot, entry);
}

void TimerQueue::SiftDown(uint32_t slot, const Entry& entry) {
  const uint32_t size = static_cast<uint32_t>(heap_.size());
  for (;;) {
    const uint32_t first = slot * kArity + 1;
    if (first >= size) break;
    uint32_t least = first;
    for (uint32_t child = first + 1; child < first + kArity && child < size; ++child) {
      if (Before(heap_[child], heap_[least])) least = child;
    }
    if (!Before(heap_[least], entry)) break;
    Place(slot, heap_[least]);
    slot = least;
  }
  Place(slot, entry);
}

void TimerQueue::Arm(Timer& timer, MonotonicNanos deadline) {
  const Entry entry{deadline, next_sequence_++, &timer};
  heap_.push_back(entry);
  SiftUp(static_cast<uint32_t>(heap_.size()) - 1, entry);
}

void TimerQueue::RemoveAt(uint32_t slot) {
  const Entry last = heap_.back();
  heap_.pop_back();
  if (slot == heap_.size()) return;
  if (slot > 0 && Before(last, heap_[(slot - 1) / kArity])) {
    SiftUp(slot, last);
  } else {
    SiftDown(slot, last);
  }
}

void TimerQueue::Cancel(Timer& timer) {
  if (!timer.armed()) return;
  RemoveAt(timer.slot_);
  timer.slot_ = Timer::kUnarmed;
}

size_t TimerQueue::Fire(MonotonicNanos now) {
  const uint64_t armed_before = next_sequence_;
  size_t fired = 0;
  // A timer armed by a callback is due no earlier than `now`, so it sorts after all older due ones.
  while (!heap_.empty() && heap_[0].deadline <= now && heap_[0].sequence < armed_before) {
    Timer& timer = *heap_[0].timer;
    RemoveAt(0);
    timer.slot_ = Timer::kUnarmed;
    ++fired;
    timer.fire_(timer);
  }
  return fired;
}

}  // namespace grove
