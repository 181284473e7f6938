// TaskWaits: who waits for which tasks.
//
// A wait names some tasks; when each of them was notified once, or its deadline has passed, its
// callback runs and the wait is gone. Bounded by the number of tasks waited for.
// Hub thread only; the callbacks run there too and must not park.
#ifndef GROVE_SERVER_CONTROL_TASK_WAITS_H_
#define GROVE_SERVER_CONTROL_TASK_WAITS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/hub/clock.h"
#include "runtime/hub/timer_queue.h"
#include "server/tasks/task_id.h"

namespace grove::control {

// About 100 bytes each: a thousand calls that wait for the most tasks allowed, and no more.
inline constexpr size_t kWaitedTasksMax = 10'000'000;

class TaskWaits {
 public:
  using WaitId = uint64_t;
  enum class End { kAllNotified, kTimedOut, kStopped };
  using Done = absl::AnyInvocable<void(End end)>;

  // `timers` must outlive it.
  explicit TaskWaits(TimerQueue& timers, size_t tasks_max = kWaitedTasksMax);
  ~TaskWaits();
  TaskWaits(const TaskWaits&) = delete;
  TaskWaits& operator=(const TaskWaits&) = delete;

  // Requires: `tasks` not empty; one that stands twice counts twice, and one Notify() serves both.
  // kResourceExhausted at the bound: `done` is never called.
  absl::StatusOr<WaitId> Add(std::vector<tasks::TaskId> tasks, MonotonicNanos deadline, Done done);
  void Notify(tasks::TaskId task);
  // Gives a wait up: its callback is never called. No effect if it is gone.
  void Remove(WaitId wait);
  // Ends all waits, and every later one at once.
  void Stop();

  size_t waits() const { return waits_.size(); }
  size_t tasks() const { return tasks_held_; }

 private:
  struct Wait;
  static void Expire(Timer& timer);
  void Conclude(WaitId wait, End end);
  // Takes the wait out of all indices.
  std::unique_ptr<Wait> Take(WaitId wait);

  TimerQueue& timers_;
  const size_t tasks_max_;
  bool stopped_ = false;
  WaitId next_ = 1;
  size_t tasks_held_ = 0;
  absl::flat_hash_map<WaitId, std::unique_ptr<Wait>> waits_;
  absl::flat_hash_map<tasks::TaskId, absl::InlinedVector<WaitId, 1>> by_task_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TASK_WAITS_H_
