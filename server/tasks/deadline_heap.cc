#include "server/tasks/deadline_heap.h"

namespace grove::tasks {

void DeadlineHeap::Set(Task* task, EngineMicros deadline_us) {
  if (task->heap_position == SIZE_MAX) {
    task->heap_position = heap_.size();
    heap_.push_back(task);
  }
  task->deadline_us = deadline_us;
  SiftUp(task->heap_position);
  SiftDown(task->heap_position);
}

void DeadlineHeap::Remove(Task* task) {
  const size_t position = task->heap_position;
  if (position == SIZE_MAX) return;
  Task* last = heap_.back();
  heap_.pop_back();
  task->heap_position = SIZE_MAX;
  if (last == task) return;
  Put(position, last);
  SiftUp(position);
  SiftDown(last->heap_position);
}

void DeadlineHeap::Put(size_t position, Task* task) {
  heap_[position] = task;
  task->heap_position = position;
}

void DeadlineHeap::SiftUp(size_t position) {
  Task* task = heap_[position];
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (heap_[parent]->deadline_us <= task->deadline_us) break;
    Put(position, heap_[parent]);
    position = parent;
  }
  Put(position, task);
}

void DeadlineHeap::SiftDown(size_t position) {
  Task* task = heap_[position];
  for (;;) {
    size_t least = 2 * position + 1;
    if (least >= heap_.size()) break;
    if (least + 1 < heap_.size() && heap_[least + 1]->deadline_us < heap_[least]->deadline_us) {
      ++least;
    }
    if (task->deadline_us <= heap_[least]->deadline_us) break;
    Put(position, heap_[least]);
    position = least;
  }
  Put(position, task);
}

}  // namespace grove::tasks
