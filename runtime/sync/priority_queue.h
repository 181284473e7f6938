// PriorityQueue: a Queue out of which the smallest value by `Less` comes first.
//
// Among equal ones the first in comes first. All else is as in Queue: a putter that waits for room
// is let in first come, first served, however small its value. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_PRIORITY_QUEUE_H_
#define GROVE_RUNTIME_SYNC_PRIORITY_QUEUE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/sync/queue.h"

namespace grove {

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

#endif  // GROVE_RUNTIME_SYNC_PRIORITY_QUEUE_H_
