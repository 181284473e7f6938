// LifoQueue and PriorityQueue: a Queue out of which the values come in another order.
//
// Of a LifoQueue the value that was put last comes first; of a PriorityQueue the smallest by
// `Less`, and among equal ones the first in. All else is as in Queue: a putter that waits for room
// is let in first come, first served, however small its value, which counts as put when it is let
// in. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_QUEUE_ORDER_H_
#define GROVE_RUNTIME_SYNC_QUEUE_ORDER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/sync/queue.h"

namespace grove {

template <typename T>
class LastInFirstOut {
 public:
  void Push(T&& value) { values_.push_back(std::move(value)); }
  T Pop() {
    T value = std::move(values_.back());
    values_.pop_back();
    return value;
  }
  size_t size() const { return values_.size(); }

 private:
  std::vector<T> values_;
};

template <typename T>
using LifoQueue = Queue<T, LastInFirstOut<T>>;

template <typename T, typename Less = std::less<T>>
class SmallestFirst {
 public:
  void Push(T&& value) {
    heap_.push_back(Entry{std::move(value), next_turn_++});
    std::push_heap(heap_.begin(), heap_.end(), After);
  }
  T Pop() {
    std::pop_heap(heap_.begin(), heap_.end(), After);
    T value = std::move(heap_.back().value);
    heap_.pop_back();
    return value;
  }
  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    T value;
    uint64_t turn;  // a heap alone keeps no order among equals
  };
  static bool After(const Entry& a, const Entry& b) {
    if (Less()(b.value, a.value)) return true;
    if (Less()(a.value, b.value)) return false;
    return a.turn > b.turn;
  }

  std::vector<Entry> heap_;
  uint64_t next_turn_ = 0;
};

template <typename T, typename Less = std::less<T>>
using PriorityQueue = Queue<T, SmallestFirst<T, Less>>;

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_QUEUE_ORDER_H_
