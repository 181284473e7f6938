// LifoQueue: a Queue out of which the value that was put last comes first.
//
// All else is as in Queue: a putter that waits for room is let in first come, first served, and
// its value counts as put when it is let in. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_LIFO_QUEUE_H_
#define GROVE_RUNTIME_SYNC_LIFO_QUEUE_H_

#include <cstddef>
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

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_LIFO_QUEUE_H_
