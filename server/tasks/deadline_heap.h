// DeadlineHeap: which task's deadline is next.
//
// A binary heap that keeps each task's position in the task, so that a deadline can be moved or
// removed without a search. The deadlines stand in the heap: most tasks that wait have none. At
// most one deadline per task; owns no task.
#ifndef GROVE_SERVER_TASKS_DEADLINE_HEAP_H_
#define GROVE_SERVER_TASKS_DEADLINE_HEAP_H_

#include <cstdint>
#include <vector>

#include "server/tasks/engine_time.h"
#include "server/tasks/task.h"

namespace grove::tasks {

class DeadlineHeap {
 public:
  struct Entry {
    EngineMicros deadline_us = 0;
    Task* task = nullptr;
  };

  // The task with the earliest deadline; nullptr if empty.
  Task* Front() const { return heap_.empty() ? nullptr : heap_.front().task; }
  // Its deadline; INT64_MAX if empty.
  EngineMicros Next() const { return heap_.empty() ? INT64_MAX : heap_.front().deadline_us; }
  // As the heap has them.
  const std::vector<Entry>& entries() const { return heap_; }

  // Sets or moves the task's deadline.
  void Set(Task* task, EngineMicros deadline_us);
  // Nothing happens if it has none.
  void Remove(Task* task);

 private:
  void Put(size_t position, Entry entry);
  void SiftUp(size_t position);
  void SiftDown(size_t position);

  std::vector<Entry> heap_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_DEADLINE_HEAP_H_
