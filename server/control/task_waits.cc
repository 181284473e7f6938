// A wait is found from two sides, by its id (time-outs, clients that go away) and by each of its
// tasks (Notify), and one of them may end it while the other still names it. So the index by task
// holds ids, not pointers: a stale id finds nothing. Take() is the one way out of both indices, and
// runs before the callback: what the callback adds or removes meets consistent indices, itself
// gone.
#include "server/control/task_waits.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/tasks/refusal.h"

namespace grove::control {

struct TaskWaits::Wait : Timer {
  Wait(TaskWaits& owner, WaitId id) : Timer(&Expire), owner(owner), id(id) {}

  TaskWaits& owner;
  const WaitId id;
  std::vector<tasks::TaskId> tasks;
  size_t missing = 0;
  Done done;
};

TaskWaits::TaskWaits(TimerQueue& timers, size_t tasks_max)
    : timers_(timers), tasks_max_(tasks_max) {}

TaskWaits::~TaskWaits() {
  for (auto& [id, wait] : waits_) timers_.Cancel(*wait);
}

absl::StatusOr<TaskWaits::WaitId> TaskWaits::Add(std::vector<tasks::TaskId> tasks,
                                                 MonotonicNanos deadline, Done done) {
  if (tasks_held_ + tasks.size() > tasks_max_) {
    return tasks::WithRetryAfter(
        tasks::Refusal(
            absl::StatusCode::kResourceExhausted, "TOO_MANY_WAITS",
            absl::StrCat("calls wait for ", tasks_held_, " tasks; at most ", tasks_max_)),
        1000);
  }
  const WaitId id = next_++;
  auto wait = std::make_unique<Wait>(*this, id);
  wait->missing = tasks.size();
  wait->tasks = std::move(tasks);
  wait->done = std::move(done);
  if (stopped_) {
    wait->done(End::kStopped);
    return id;
  }
  for (const tasks::TaskId& task : wait->tasks) by_task_[task].push_back(id);
  tasks_held_ += wait->tasks.size();
  if (deadline != kNever) timers_.Arm(*wait, deadline);
  waits_.emplace(id, std::move(wait));
  return id;
}

void TaskWaits::Notify(tasks::TaskId task) {
  auto found = by_task_.find(task);
  if (found == by_task_.end()) return;
  const absl::InlinedVector<WaitId, 1> ids = std::move(found->second);
  by_task_.erase(found);
  for (WaitId id : ids) {
    auto wait = waits_.find(id);
    if (wait != waits_.end() && --wait->second->missing == 0) Conclude(id, End::kAllNotified);
  }
}

void TaskWaits::Remove(WaitId wait) {
  Take(wait);
}

void TaskWaits::Stop() {
  stopped_ = true;
  while (!waits_.empty()) Conclude(waits_.begin()->first, End::kStopped);
}

void TaskWaits::Expire(Timer& timer) {
  Wait& wait = static_cast<Wait&>(timer);
  wait.owner.Conclude(wait.id, End::kTimedOut);
}

void TaskWaits::Conclude(WaitId wait, End end) {
  std::unique_ptr<Wait> taken = Take(wait);
  if (taken != nullptr) taken->done(end);
}

std::unique_ptr<TaskWaits::Wait> TaskWaits::Take(WaitId id) {
  auto found = waits_.find(id);
  if (found == waits_.end()) return nullptr;
  std::unique_ptr<Wait> wait = std::move(found->second);
  waits_.erase(found);
  timers_.Cancel(*wait);
  tasks_held_ -= wait->tasks.size();
  if (wait->missing == 0) return wait;  // Notify has emptied the index.
  for (const tasks::TaskId& task : wait->tasks) {
    auto waiting = by_task_.find(task);
    if (waiting == by_task_.end()) continue;
    auto& ids = waiting->second;
    ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end());
    if (ids.empty()) by_task_.erase(waiting);
  }
  return wait;
}

}  // namespace grove::control
