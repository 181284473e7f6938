// WaitList: fibers that wait for the same thing, first come, first served.
//
// An entry lives on the waiting fiber's stack. Whoever serves it takes it off the list and marks it
// `granted` before unparking the fiber, so a fiber that is woken by a time-out or a cancellation in
// the same turn still knows that it was served. Hub thread only.
#ifndef GROVE_RUNTIME_HUB_WAIT_LIST_H_
#define GROVE_RUNTIME_HUB_WAIT_LIST_H_

#include <cstddef>

namespace grove {

class Fiber;

struct Waiter {
  Fiber* fiber = nullptr;
  void* value = nullptr;  // what is handed over, if anything
  bool granted = false;
  bool linked = false;
  Waiter* prev = nullptr;
  Waiter* next = nullptr;
};

class WaitList {
 public:
  bool empty() const { return head_ == nullptr; }
  size_t size() const { return size_; }
  Waiter* front() const { return head_; }

  void PushBack(Waiter& waiter) {
    waiter.prev = tail_;
    waiter.next = nullptr;
    waiter.linked = true;
    (tail_ != nullptr ? tail_->next : head_) = &waiter;
    tail_ = &waiter;
    ++size_;
  }
  // No effect if it is not on the list.
  void Remove(Waiter& waiter) {
    if (!waiter.linked) return;
    (waiter.prev != nullptr ? waiter.prev->next : head_) = waiter.next;
    (waiter.next != nullptr ? waiter.next->prev : tail_) = waiter.prev;
    waiter.linked = false;
    --size_;
  }
  // Takes the first off and marks it granted; null if there is none.
  Waiter* Grant() {
    Waiter* first = head_;
    if (first == nullptr) return nullptr;
    Remove(*first);
    first->granted = true;
    return first;
  }

 private:
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
  size_t size_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_WAIT_LIST_H_
