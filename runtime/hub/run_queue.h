// RunQueue: runnable fibers, first in, first out. Intrusive: a fiber is on at most one.
//
// It counts what comes in only; its owner counts what goes out, and so has the length for less.
#ifndef GROVE_RUNTIME_HUB_RUN_QUEUE_H_
#define GROVE_RUNTIME_HUB_RUN_QUEUE_H_

#include <cstdint>

#include "runtime/hub/fiber.h"

namespace grove {

class RunQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  // Null if it is empty.
  Fiber* front() const { return head_; }
  // Pushed so far.
  uint64_t pushed() const { return pushed_; }

  // Requires: not on a queue.
  void Push(Fiber& fiber) {
    Next(fiber) = nullptr;
    (tail_ != nullptr ? Next(*tail_) : head_) = &fiber;
    tail_ = &fiber;
    ++pushed_;
  }
  // Requires: not empty.
  Fiber& Pop() {
    Fiber& fiber = *head_;
    head_ = Next(fiber);
    if (head_ == nullptr) tail_ = nullptr;
    return fiber;
  }
  // The first becomes the last. Requires: not empty.
  void Rotate() {
    Push(Pop());
    --pushed_;
  }

 private:
  // All that a queue sees of a fiber.
  static Fiber*& Next(Fiber& fiber) { return fiber.next_; }

  Fiber* head_ = nullptr;
  Fiber* tail_ = nullptr;
  uint64_t pushed_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_RUN_QUEUE_H_
