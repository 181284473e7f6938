#include "server/tasks/task_queue.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "server/tasks/deadline_heap.h"

namespace grove::tasks {
namespace {

constexpr int64_t kMinute = 60 * kUsPerSecond;

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
    TaskQueue queue(order, kMinute);
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
  TaskQueue queue(config::v1::Queue::ORDER_PRIORITY, kMinute);
  queue.Push(&a);
  queue.Push(&urgent);
  queue.PushFront(&b);
  EXPECT_EQ(Drain(queue), (std::vector<Task*>{&urgent, &b, &a}));
}

// What has waited a minute counts as one of the next priority, and of equals the earlier is first.
TEST(TaskQueue, PrioritiesAge) {
  TaskQueue queue(config::v1::Queue::ORDER_PRIORITY, kMinute);
  const auto at = [](int64_t ready_us, int32_t priority) {
    Task task;
    task.ready_us = ready_us;
    task.spec.priority = priority;
    return task;
  };
  Task old = at(0, 0), early = at(kMinute - 1, 1), late = at(kMinute + 1, 1);
  Task urgent = at(8 * kMinute, 9), too_late = at(9 * kMinute + 2, 9);
  for (Task* task : {&old, &early, &late, &urgent, &too_late}) queue.Push(task);
  const std::vector<const Task*> order = queue.InOrder();
  const std::vector<Task*> drained = Drain(queue);
  EXPECT_EQ(drained, (std::vector<Task*>{&urgent, &early, &old, &late, &too_late}));
  EXPECT_TRUE(std::equal(order.begin(), order.end(), drained.begin(), drained.end()));
}

TEST(TaskQueue, RemovesFromTheMiddle) {
  Task a, b, c;
  TaskQueue queue(config::v1::Queue::ORDER_FIFO, kMinute);
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
    EXPECT_GE(heap.Next(), last_us);
    last_us = heap.Next();
    heap.Remove(task);
    heap.Remove(task);
    ++count;
  }
  EXPECT_EQ(count, 66);
}

}  // namespace
}  // namespace grove::tasks
