// QueueState: what the task engine knows of one queue, beside what the config says.
#ifndef GROVE_SERVER_TASKS_QUEUE_STATE_H_
#define GROVE_SERVER_TASKS_QUEUE_STATE_H_

#include <cstdint>
#include <string>

#include "grove/config/v1/config.pb.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/task.h"
#include "server/tasks/task_queue.h"
#include "server/tasks/tenant_state.h"

namespace grove::tasks {

struct QueueState {
  QueueState(config::v1::Queue::Order order, int64_t ageing_us) : backlog(order, ageing_us) {}

  TaskQueue backlog;
  // All QUEUED tasks but the paused ones, longest waiting first.
  IntrusiveList<Task, &Task::age_hook> by_age;
  // Where it stands in the rounds of dispatch: in exactly one of these.
  enum class Stand {
    kIdle,              // Nowhere: nothing to start, or paused.
    kReady,             // Among its tenant's ready ones: it has something to start.
    kBlockedOnPool,     // In its pool's `blocked`.
    kBlockedOnQuota,    // In its tenant's `blocked`.
    kBlockedOnWorkers,  // In `blocked_on_workers`: those that know its first task's function are
                        // full.
  };
  Stand stand = Stand::kIdle;
  // By the config, or whoever spoke after it.
  bool paused = false;
  std::string pause_reason;
  // Its neighbours while it is ready.
  size_t before = kNoQueue;
  size_t after = kNoQueue;
  int64_t queued = 0;
  // Of them: those that are paused themselves, and in no list.
  int64_t queued_paused = 0;
  int64_t scheduled = 0;
  int64_t running = 0;
  int64_t spawned = 0;
  int64_t rejected = 0;
  // Settled tasks that are retained, and the dead letters among them.
  int64_t ended = 0;
  int64_t dead_letters = 0;
  // What an attempt takes, the last ones most; 0 until one has ended.
  int64_t mean_run_us = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_QUEUE_STATE_H_
