#include "server/tasks/task_queue.h"

#include <bit>

namespace grove::tasks {

// Without priorities everything is in band 0.
size_t TaskQueue::BandOf(const Task* task) const {
  return order_ == config::v1::Queue::ORDER_PRIORITY ? task->spec.priority : 0;
}

Task* TaskQueue::Front() const {
  if (empty()) return nullptr;
  return bands_[std::bit_width(occupied_) - 1].front();
}

std::vector<const Task*> TaskQueue::InOrder() const {
  std::vector<const Task*> tasks;
  for (size_t band = bands_.size(); band-- > 0;) {
    for (const Task* task = bands_[band].front(); task != nullptr; task = Band::Next(task)) {
      tasks.push_back(task);
    }
  }
  return tasks;
}

void TaskQueue::Push(Task* task) {
  if (order_ == config::v1::Queue::ORDER_LIFO) return PushFront(task);
  const size_t band = BandOf(task);
  bands_[band].PushBack(task);
  occupied_ |= 1u << band;
}

void TaskQueue::PushFront(Task* task) {
  const size_t band = BandOf(task);
  bands_[band].PushFront(task);
  occupied_ |= 1u << band;
}

void TaskQueue::Remove(Task* task) {
  const size_t band = BandOf(task);
  bands_[band].Remove(task);
  if (bands_[band].empty()) occupied_ &= ~(1u << band);
}

}  // namespace grove::tasks
