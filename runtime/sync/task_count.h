// TaskCount: work that was handed out and is not finished yet, and the fibers that wait for its
// end.
//
// Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_TASK_COUNT_H_
#define GROVE_RUNTIME_SYNC_TASK_COUNT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "runtime/hub/wait_list.h"

namespace grove {

class TaskCount {
 public:
  TaskCount() = default;
  // Requires: nobody waits.
  ~TaskCount();
  TaskCount(const TaskCount&) = delete;
  TaskCount& operator=(const TaskCount&) = delete;

  void Add() { ++unfinished_; }
  // kFailedPrecondition: nothing is unfinished.
  absl::Status Done();
  // OK once the count has come to zero, even if it rises again before the caller runs.
  // kDeadlineExceeded, kCancelled. **Parks** while something is unfinished.
  absl::Status Join();

  uint64_t unfinished() const { return unfinished_; }

 private:
  uint64_t unfinished_ = 0;
  WaitList joiners_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_TASK_COUNT_H_
