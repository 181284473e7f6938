// AsideTasks: tasks of one queue that stand beside it, because their function, or the limit of one
// of their keys, is full.
//
// In the order in which the queue would start them, whenever each stepped aside. Owns no task.
#ifndef GROVE_SERVER_TASKS_ASIDE_TASKS_H_
#define GROVE_SERVER_TASKS_ASIDE_TASKS_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/btree_map.h"
#include "grove/config/v1/config.pb.h"
#include "server/tasks/task.h"

namespace grove::tasks {

class AsideTasks {
 public:
  AsideTasks(config::v1::Queue::Order order, int64_t ageing_us)
      : order_(order), ageing_us_(ageing_us) {}

  bool empty() const { return tasks_.empty(); }
  int64_t size() const { return static_cast<int64_t>(tasks_.size()); }
  // Requires that there is one.
  Task* Front() const { return tasks_.begin()->second; }
  void Put(Task* task) { tasks_.emplace(KeyOf(*task), task); }
  // Requires that it stands here, and that its times and priority are those of Put().
  void Remove(Task* task) { tasks_.erase(KeyOf(*task)); }

  // Whether it comes after one that stands here.
  bool ComesAfter(const Task& task) const {
    return !tasks_.empty() && tasks_.begin()->first < KeyOf(task);
  }

  // The one that was called back to the queue's backlog and stands there; nullptr if none. There is
  // one at a time, so that their order stays.
  Task* called = nullptr;

 private:
  // What is smaller comes first.
  using Key = std::pair<int64_t, TaskId>;

  Key KeyOf(const Task& task) const {
    if (order_ == config::v1::Queue::ORDER_PRIORITY) {
      return {task.ready_us - task.spec.priority * ageing_us_, task.id};
    }
    const bool is_lifo = order_ == config::v1::Queue::ORDER_LIFO;
    return {is_lifo ? -task.queued_us : task.queued_us, task.id};
  }

  config::v1::Queue::Order order_;
  int64_t ageing_us_;
  absl::btree_map<Key, Task*> tasks_;
};

// Tasks that wait for room in the same thing.
struct Lane {
  absl::btree_map<size_t, AsideTasks> queues;
  // Of which one started last: the others come first.
  size_t last = SIZE_MAX;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ASIDE_TASKS_H_
