// RunQueue: runnable fibers, first in, first out. Intrusive: a fiber is on at most one.
//
// It counts what comes in only; its owner counts what goes out, and so has the length for less.
#ifndef GROVE_RUNTIME_HUB_RUN_QUEUE_H_
#define GROVE_RUNTIME_HUB_RUN_QUEUE_H_

#include <cstdint>

namespace grove {

class Fiber;

class RunQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  // Pushed so far.
  uint64_t pushed() const { return pushed_; }

  // Requires: not on a queue. `Next` names the link: Fiber's is private to its hub.
  template <typename Link>
  void Push(Fiber& fiber, Link&& next) {
    next(fiber) = nullptr;
    (tail_ != nullptr ? next(*tail_) : head_) = &fiber;
    tail_ = &fiber;
    ++pushed_;
  }
  // Requires: not empty.
  template <typename Link>
  Fiber& Pop(Link&& next) {
    Fiber& fiber = *head_;
    head_ = next(fiber);
    if (head_ == nullptr) tail_ = nullptr;
    return fiber;
  }
  // The first becomes the last. Requires: not empty.
  template <typename Link>
  void Rotate(Link&& next) {
    Push(Pop(next), next);
    --pushed_;
  }

 private:
  Fiber* head_ = nullptr;
  Fiber* tail_ = nullptr;
  uint64_t pushed_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_RUN_QUEUE_H_
