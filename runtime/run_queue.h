// RunQueue: runnable fibers, first in, first out. Intrusive: a fiber is on at most one.
#ifndef GROVE_RUNTIME_RUN_QUEUE_H_
#define GROVE_RUNTIME_RUN_QUEUE_H_

#include <cstddef>

namespace grove {

class Fiber;

class RunQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  size_t size() const { return size_; }

  // Requires: not on a queue. `Next` names the link: Fiber's is private to its hub.
  template <typename Link>
  void Push(Fiber& fiber, Link&& next) {
    next(fiber) = nullptr;
    (tail_ != nullptr ? next(*tail_) : head_) = &fiber;
    tail_ = &fiber;
    ++size_;
  }
  // Requires: not empty.
  template <typename Link>
  Fiber& Pop(Link&& next) {
    Fiber& fiber = *head_;
    head_ = next(fiber);
    if (head_ == nullptr) tail_ = nullptr;
    --size_;
    return fiber;
  }

 private:
  Fiber* head_ = nullptr;
  Fiber* tail_ = nullptr;
  size_t size_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_RUN_QUEUE_H_
