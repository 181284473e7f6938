#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/tasks/views.h"

namespace grove::tasks {
namespace {

std::string FormatTime(int64_t us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(us), absl::UTCTimeZone());
}

struct WorkerRoom {
  bool any_linked = false;
  bool any_stuck = false;
  bool any_dispatchable = false;
  bool function_known = false;
  int64_t running = 0;
  int64_t capacity = 0;
  // On workers that know the function.
  int64_t room = 0;
};

WorkerRoom RoomFor(const EngineState& state, size_t function) {
  WorkerRoom room;
  for (const WorkerView& worker : state.WorkersHeardOf()) {
    room.any_linked |= worker.linked;
    room.any_stuck |= worker.linked && worker.stuck;
    if (!state.IsDispatchable(worker)) continue;
    room.any_dispatchable = true;
    if (!worker.knows(function)) continue;
    room.function_known = true;
    room.running += worker.taken();
    room.capacity += worker.capacity;
    if (worker.room() > 0) room.room += worker.room();
  }
  return room;
}

// Why a task of this queue and function cannot start; empty if it can.
std::string Obstacle(const EngineState& state, size_t queue_index, const Task& task) {
  const tenancy::Directory::Queue& queue = state.directory->queues()[queue_index];
  if (queue.paused) return absl::StrCat("queue ", queue.name, " is paused");
  const WorkerRoom room = RoomFor(state, task.function);
  if (!room.any_linked) return "no worker is connected";
  if (!room.any_dispatchable) {
    return absl::StrCat("every connected worker is draining", room.any_stuck ? " or stuck" : "");
  }
  if (!room.function_known) {
    return absl::StrCat("no connected worker has function ", task.spec.function);
  }
  const PoolState& pool = state.pools[queue.pool];
  if (pool.running >= pool.size) {
    return absl::StrCat("pool ", state.directory->pools()[queue.pool].name,
                        " is full: ", pool.running, " of ", pool.size, " running");
  }
  if (room.room == 0 && room.running < room.capacity) {
    return absl::StrCat("the inputs of other tasks are on their way: more than ",
                        kUnstartedBytesMax, " bytes to every worker");
  }
  if (room.room == 0) {
    return absl::StrCat("every worker is full: ", room.running, " of ", room.capacity,
                        " attempts running");
  }
  return "";
}

std::string ScheduledReason(const EngineState& state, const Task& task) {
  const std::string at = FormatTime(state.ToWall(task.schedule_us));
  if (task.failures == 0) return absl::StrCat("starts at ", at);
  return absl::StrCat("attempt ", task.attempts_started, " did not succeed; the next starts at ",
                      at);
}

}  // namespace

std::string WaitingReason(const EngineState& state, const Task& task) {
  if (task.state == v1::TASK_STATE_SCHEDULED) return ScheduledReason(state, task);
  if (task.state != v1::TASK_STATE_QUEUED) return "";
  if (task.place == Task::Place::kNone) return "it is being written to disk";
  std::string obstacle = Obstacle(state, task.queue, task);
  if (!obstacle.empty()) return obstacle;
  const QueueState& queue = state.queues[task.queue];
  if (queue.backlog.Front() == &task) return "it starts next";
  return absl::StrCat("it waits for its turn among the ", queue.queued, " tasks of queue ",
                      state.directory->queues()[task.queue].name);
}

std::string WaitingReason(const EngineState& state, size_t index) {
  const QueueState& queue = state.queues[index];
  if (const Task* next = queue.backlog.Front()) {
    std::string obstacle = Obstacle(state, index, *next);
    return obstacle.empty() ? "its next task starts in a moment" : obstacle;
  }
  if (const Task* oldest = queue.by_age.front()) return WaitingReason(state, *oldest);
  if (queue.scheduled > 0) {
    return absl::StrCat("its ", queue.scheduled, " tasks are scheduled for later");
  }
  return "";
}

}  // namespace grove::tasks
