// TaskQueue: the order in which one queue's waiting tasks start.
//
// FIFO, LIFO, or by priority with FIFO among equals. Every operation takes constant time. Owns no
// task.
#ifndef GROVE_SERVER_TASKS_TASK_QUEUE_H_
#define GROVE_SERVER_TASKS_TASK_QUEUE_H_

#include <array>
#include <cstdint>
#include <vector>

#include "grove/config/v1/config.pb.h"
#include "server/tasks/task.h"

namespace grove::tasks {

class TaskQueue {
 public:
  explicit TaskQueue(config::v1::Queue::Order order) : order_(order) {}

  bool empty() const { return occupied_ == 0; }
  // The next to start; nullptr if empty.
  Task* Front() const;
  // All of them, the next to start first. Takes linear time: for checks.
  std::vector<const Task*> InOrder() const;

  // Where the order puts a new task.
  void Push(Task* task);
  // Before all others (of its priority): it has waited already.
  void PushFront(Task* task);
  // Requires that it is in this queue.
  void Remove(Task* task);

 private:
  using Band = IntrusiveList<Task, &Task::backlog_hook>;

  size_t BandOf(const Task* task) const;

  const config::v1::Queue::Order order_;
  std::array<Band, kPriorityMax + 1> bands_;
  // Bit N: band N has tasks.
  uint32_t occupied_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_QUEUE_H_
