#include "server/tasks/task_queue.h"

#include <vector>

#include "gtest/gtest.h"
#include "server/tasks/deadline_heap.h"

namespace grove::tasks {
namespace {

std::vector<Task*> Drain(TaskQueue& queue) {
  std::vector<Task*> order;
  while (Task* task = queue.Front()) {
    queue.Remove(task);
    order.push_back(task);
  }
  return order;
}

TEST(TaskQueue, KeepsItsOrder) {
  Task a, b, c;
  b.spec.priority = 5;
  const auto order_in = [&](config::v1::Queue::Order order) {
    TaskQueue queue(order);
    for (Task* task : {&a, &b, &c}) queue.Push(task);
    return Drain(queue);
  };
  EXPECT_EQ(order_in(config::v1::Queue::ORDER_FIFO), (std::vector<Task*>{&a, &b, &c}));
  EXPECT_EQ(order_in(config::v1::Queue::ORDER_LIFO), (std::vector<Task*>{&c, &b, &a}));
  EXPECT_EQ(order_in(config::v1::Queue::ORDER_PRIORITY), (std::vector<Task*>{&b, &a, &c}));
}

TEST(TaskQueue, PutsARequeuedTaskBeforeItsEquals) {
  Task a, b, urgent;
  urgent.spec.priority = 9;
  TaskQueue queue(config::v1::Queue::ORDER_PRIORITY);
  queue.Push(&a);
  queue.Push(&urgent);
  queue.PushFront(&b);
  EXPECT_EQ(Drain(queue), (std::vector<Task*>{&urgent, &b, &a}));
}

TEST(TaskQueue, RemovesFromTheMiddle) {
  Task a, b, c;
  TaskQueue queue(config::v1::Queue::ORDER_FIFO);
  for (Task* task : {&a, &b, &c}) queue.Push(task);
  queue.Remove(&b);
  EXPECT_EQ(Drain(queue), (std::vector<Task*>{&a, &c}));
}

TEST(DeadlineHeap, YieldsTheEarliestAfterMovesAndRemovals) {
  std::vector<Task> tasks(100);
  DeadlineHeap heap;
  for (size_t i = 0; i < tasks.size(); ++i) heap.Set(&tasks[i], (i * 37) % 100);
  for (size_t i = 0; i < tasks.size(); i += 3) heap.Remove(&tasks[i]);
  for (size_t i = 1; i < tasks.size(); i += 3) heap.Set(&tasks[i], (i * 53) % 100);
  int64_t last_us = -1;
  int count = 0;
  while (Task* task = heap.Front()) {
    EXPECT_GE(task->deadline_us, last_us);
    last_us = task->deadline_us;
    heap.Remove(task);
    heap.Remove(task);
    ++count;
  }
  EXPECT_EQ(count, 66);
}

}  // namespace
}  // namespace grove::tasks
