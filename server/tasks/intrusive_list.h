// IntrusiveList: a doubly linked list whose links are in the elements.
//
// An element stands in at most one list per hook, and leaves it in constant time without being
// searched. The list owns nothing: an element must leave before it is destroyed.
#ifndef GROVE_SERVER_TASKS_INTRUSIVE_LIST_H_
#define GROVE_SERVER_TASKS_INTRUSIVE_LIST_H_

#include <cstdint>

namespace grove::tasks {

template <typename T>
struct ListHook {
  T* previous = nullptr;
  T* next = nullptr;
};

template <typename T, ListHook<T> T::*kHook>
class IntrusiveList {
 public:
  bool empty() const { return front_ == nullptr; }
  T* front() const { return front_; }
  T* back() const { return back_; }
  // nullptr after the last one.
  static T* Next(const T* element) { return (element->*kHook).next; }
  // nullptr before the first one.
  static T* Previous(const T* element) { return (element->*kHook).previous; }

  // As many steps as that.
  int64_t Length() const {
    int64_t length = 0;
    for (const T* each = front_; each != nullptr; each = Next(each)) ++length;
    return length;
  }

  void PushBack(T* element) {
    (element->*kHook) = {back_, nullptr};
    (back_ != nullptr ? (back_->*kHook).next : front_) = element;
    back_ = element;
  }

  void PushFront(T* element) {
    (element->*kHook) = {nullptr, front_};
    (front_ != nullptr ? (front_->*kHook).previous : back_) = element;
    front_ = element;
  }

  // Requires that the element stands in this list.
  void Remove(T* element) {
    ListHook<T>& hook = element->*kHook;
    (hook.previous != nullptr ? (hook.previous->*kHook).next : front_) = hook.next;
    (hook.next != nullptr ? (hook.next->*kHook).previous : back_) = hook.previous;
    hook = {};
  }

 private:
  T* front_ = nullptr;
  T* back_ = nullptr;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_INTRUSIVE_LIST_H_
