#include "server/tasks/deadline_heap.h"

namespace grove::tasks {

void DeadlineHeap::Set(Task* task, EngineMicros deadline_us) {
  if (task->heap_position == Task::kNoDeadline) {
    task->heap_position = static_cast<uint32_t>(heap_.size());
    heap_.emplace_back();
  }
  heap_[task->heap_position] = {deadline_us, task};
  SiftUp(task->heap_position);
  SiftDown(task->heap_position);
}

void DeadlineHeap::Remove(Task* task) {
  const size_t position = task->heap_position;
  if (position == Task::kNoDeadline) return;
  const Entry last = heap_.back();
  heap_.pop_back();
  task->heap_position = Task::kNoDeadline;
  if (last.task == task) return;
  Put(position, last);
  SiftUp(position);
  SiftDown(last.task->heap_position);
}

void DeadlineHeap::Put(size_t position, Entry entry) {
  heap_[position] = entry;
  entry.task->heap_position = static_cast<uint32_t>(position);
}

void DeadlineHeap::SiftUp(size_t position) {
  const Entry entry = heap_[position];
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (heap_[parent].deadline_us <= entry.deadline_us) break;
    Put(position, heap_[parent]);
    position = parent;
  }
  Put(position, entry);
}

void DeadlineHeap::SiftDown(size_t position) {
  const Entry entry = heap_[position];
  for (;;) {
    size_t least = 2 * position + 1;
    if (least >= heap_.size()) break;
    if (least + 1 < heap_.size() && heap_[least + 1].deadline_us < heap_[least].deadline_us) {
      ++least;
    }
    if (entry.deadline_us <= heap_[least].deadline_us) break;
    Put(position, heap_[least]);
    position = least;
  }
  Put(position, entry);
}

}  // namespace grove::tasks
