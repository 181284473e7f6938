#include "server/tasks/task_queue.h"

#include <bit>

namespace grove::tasks {

// Without priorities everything is in band 0.
size_t TaskQueue::BandOf(const Task* task) const {
  return order_ == config::v1::Queue::ORDER_PRIORITY ? task->spec.priority : 0;
}

Task* TaskQueue::Front() const {
  if (empty()) return nullptr;
  Task* first = bands_[std::bit_width(occupied_) - 1].front();
  if (std::has_single_bit(occupied_)) return first;
  // From the most urgent on: the earlier of equals stays.
  for (size_t band = bands_.size(); band-- > 0;) {
    Task* front = bands_[band].front();
    if (front != nullptr && KeyOf(*front) < KeyOf(*first)) first = front;
  }
  return first;
}

std::vector<const Task*> TaskQueue::InOrder() const {
  std::vector<const Task*> next;
  for (const Band& band : bands_) next.push_back(band.front());
  std::vector<const Task*> tasks;
  for (;;) {
    size_t first = bands_.size();
    for (size_t band = bands_.size(); band-- > 0;) {
      if (next[band] == nullptr) continue;
      if (first == bands_.size() || KeyOf(*next[band]) < KeyOf(*next[first])) first = band;
    }
    if (first == bands_.size()) return tasks;
    tasks.push_back(next[first]);
    next[first] = Band::Next(next[first]);
  }
}

int64_t TaskQueue::Ahead(const Task* task, int64_t max) const {
  int64_t ahead = 0;
  for (size_t band = bands_.size(); band-- > 0;) {
    for (const Task* each = bands_[band].front(); each != nullptr; each = Band::Next(each)) {
      if (each == task || ahead == max) return ahead;
      ++ahead;
    }
  }
  return ahead;
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
