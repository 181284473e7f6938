// DeadlineHeap: which task's deadline is next.
//
// A binary heap that keeps each task's position in the task, so that a deadline can be moved or
// removed without a search. At most one deadline per task; owns no task.
#ifndef GROVE_SERVER_TASKS_DEADLINE_HEAP_H_
#define GROVE_SERVER_TASKS_DEADLINE_HEAP_H_

#include <cstdint>
#include <vector>

#include "server/tasks/engine_time.h"
#include "server/tasks/task.h"

namespace grove::tasks {

class DeadlineHeap {
 public:
  // The task with the earliest deadline; nullptr if empty.
  Task* Front() const { return heap_.empty() ? nullptr : heap_.front(); }
  // As the heap has them.
  const std::vector<Task*>& tasks() const { return heap_; }

  // Sets or moves the task's deadline.
  void Set(Task* task, EngineMicros deadline_us);
  // Nothing happens if it has none.
  void Remove(Task* task);

 private:
  void Put(size_t position, Task* task);
  void SiftUp(size_t position);
  void SiftDown(size_t position);

  std::vector<Task*> heap_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_DEADLINE_HEAP_H_
