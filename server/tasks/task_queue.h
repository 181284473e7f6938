// TaskQueue: the order in which one queue's waiting tasks start.
//
// FIFO, LIFO, or by priority with FIFO among equals. Priorities age: a task counts as one of the
// next priority for every `ageing_us` that it has waited, so that none waits for ever behind more
// urgent ones. As all of them age, that is an order that does not change while they wait: a task is
// overtaken by one of the next priority only if that one came less than `ageing_us` after it.
// Every operation takes constant time. Owns no task.
#ifndef GROVE_SERVER_TASKS_TASK_QUEUE_H_
#define GROVE_SERVER_TASKS_TASK_QUEUE_H_

#include <cstdint>
#include <vector>

#include "grove/config/v1/config.pb.h"
#include "server/tasks/task.h"

namespace grove::tasks {

class TaskQueue {
 public:
  TaskQueue(config::v1::Queue::Order order, int64_t ageing_us)
      : order_(order),
        ageing_us_(ageing_us),
        bands_(order == config::v1::Queue::ORDER_PRIORITY ? kPriorityMax + 1 : 1) {}

  bool empty() const { return occupied_ == 0; }
  // The next to start; nullptr if empty.
  Task* Front() const;
  // All of them, the next to start first. Takes linear time: for checks.
  std::vector<const Task*> InOrder() const;

  // Tasks that start before this one, at most `max`: as many steps. Requires that it is in this
  // queue.
  int64_t Ahead(const Task* task, int64_t max) const;

  // Where the order puts a new task.
  void Push(Task* task);
  // Before all others (of its priority): it has waited already.
  void PushFront(Task* task);
  // Requires that it is in this queue.
  void Remove(Task* task);

 private:
  using Band = IntrusiveList<Task, &Task::backlog_hook>;

  size_t BandOf(const Task* task) const;
  // What is smaller comes first.
  EngineMicros KeyOf(const Task& task) const {
    return task.ready_us - task.spec.priority * ageing_us_;
  }

  const config::v1::Queue::Order order_;
  const int64_t ageing_us_;
  // One, or one a priority.
  std::vector<Band> bands_;
  // Bit N: band N has tasks.
  uint32_t occupied_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_QUEUE_H_
