// Task: the engine's record of one task, and LiveAttempt, of one run that holds room on a worker.
//
// Plain records: the engine's parts change them. A grove.v1.Task is made of one only when somebody
// asks.
#ifndef GROVE_SERVER_TASKS_TASK_H_
#define GROVE_SERVER_TASKS_TASK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/relations.h"
#include "server/tasks/task_id.h"
#include "server/tasks/task_spec.h"
#include "server/wall_time.h"

namespace grove::tasks {

struct LimitKey;
struct Task;

// Attempts remembered per task, the newest. Retries are bounded by kMaxAttemptsMax; hand-backs by
// draining workers are not.
inline constexpr size_t kAttemptsKeptMax = 128;

struct AttemptRecord {
  int32_t number = 0;
  v1::Attempt::State state = v1::Attempt::STATE_RUNNING;
  int32_t worker = -1;
  int64_t worker_pid = 0;
  // 0: not known (yet).
  uint64_t fiber = 0;
  WallMicros start_us = 0;
  WallMicros end_us = 0;
  std::unique_ptr<google::rpc::Status> error;
};

// What has happened to a task: to most of those that wait, nothing yet.
struct TaskPast {
  // Of an ended task: the state before.
  v1::TaskState unended_state = v1::TASK_STATE_UNSPECIFIED;
  // The engine's turn in which it was settled, or recalled.
  uint64_t settled_turn = 0;
  // It was evicted, and is here for a moment (evicted_tasks.h).
  bool recalled = false;

  std::vector<AttemptRecord> attempts;
  int32_t attempts_started = 0;
  int32_t failures = 0;
  int32_t interruptions = 0;
  // The attempt that runs; 0 if none.
  uint64_t attempt = 0;
  // Why nothing of it is to start; nullptr unless it is paused.
  std::unique_ptr<std::string> paused;

  // Its length, also while it is not in memory (task_memory.h).
  int64_t output_bytes = 0;
  // Its part in EngineState::ended_bytes, once it is settled.
  int64_t retained_bytes = 0;
  std::string output;
  std::string output_content_type;
  // A payload's name, instead of the output; nullptr: none.
  std::unique_ptr<const std::string> output_payload;
  std::unique_ptr<google::rpc::Status> error;
  // What the last attempt left to the next; nullptr: nothing.
  std::unique_ptr<std::string> checkpoint;
  double progress = 0;
  std::string progress_message;

  // Shown and stored; measured by.
  WallMicros end_time_us = 0;
  EngineMicros end_us = 0;
};

// There may be millions that wait: what few of them have stands in the spec's extras or in the
// past, and a test holds the size (task_memory_test.cc).
struct Task {
  // Where a QUEUED task stands.
  enum class Place : uint8_t {
    kNone,      // Durable and not yet on disk, or not QUEUED.
    kBacklog,   // In its queue's TaskQueue.
    kStranded,  // Beside it: no connected worker knows its function.
    kPaused,    // Beside it, until somebody resumes it.
    kAside,     // Beside it: as many of its function run as may (FunctionState::aside).
    // Beside it: too few slots of its first, or its second, limit key are left (LimitKey::aside).
    kAsideOfFirstKey,
    kAsideOfSecondKey,
  };
  static constexpr uint32_t kNoDeadline = UINT32_MAX;

  // What a task is looked up by, and what is asked of each one: in the record's first cache line.
  TaskId id;
  // TaskIndex's.
  Task* next_in_index = nullptr;
  // Indices into the directory's queues and the engine's functions.
  uint32_t queue = 0;
  uint32_t function = 0;

  v1::TaskState state = v1::TASK_STATE_UNSPECIFIED;
  Place place = Place::kNone;
  // Durable tasks: the insert is on disk; the end is on disk.
  bool stored = false;
  bool settled = false;
  // Somebody changed the spec after it was first stored.
  bool spec_changed = false;

  // DeadlineHeap's.
  uint32_t heap_position = kNoDeadline;
  // Its length, also while it is not in memory (task_memory.h).
  int32_t input_bytes = 0;
  // What it was last charged with.
  int64_t charged_bytes = 0;

  // nullptr: nothing has happened.
  std::unique_ptr<TaskPast> happened;

  AcceptedSpec spec;
  // nullptr: it has nothing to do with others, but for what stands here.
  std::unique_ptr<TaskRelations> relations;
  // The task whose function spawned it, by its name; nullptr: none did.
  std::unique_ptr<const std::string> parent;
  // Of the spec's limit key, while it has not ended; nullptr: it names none.
  LimitKey* key = nullptr;

  // Shown and stored.
  WallMicros create_time_us = 0;
  // Measured by. `ready_us`: when it could first have started.
  EngineMicros ready_us = 0;
  EngineMicros schedule_us = 0;
  EngineMicros queued_us = 0;

  ListHook<Task> backlog_hook;
  // In the queue's list by age, or in the list of ended tasks.
  ListHook<Task> age_hook;
  // In its tenant's list of ended tasks.
  ListHook<Task> end_hook;

  const TaskPast& past() const;
  // To be written to.
  TaskPast& Past() {
    if (happened == nullptr) happened = std::make_unique<TaskPast>();
    return *happened;
  }
  bool is_paused() const { return past().paused != nullptr; }
  bool has_input() const { return static_cast<int64_t>(spec.input.size()) == input_bytes; }
  bool has_output() const {
    return static_cast<int64_t>(past().output.size()) == past().output_bytes;
  }
  bool ended() const { return state >= v1::TASK_STATE_SUCCEEDED; }
  // What anybody is told: an end only once it lasts (invariant 8). If control died before, the task
  // would go on.
  v1::TaskState told_state() const { return ended() && !settled ? past().unended_state : state; }
};

inline const TaskPast& Task::past() const {
  static const auto* const kNothing = new TaskPast();
  return happened == nullptr ? *kNothing : *happened;
}

static_assert(v1::TASK_STATE_RUNNING < v1::TASK_STATE_SUCCEEDED);

struct LiveAttempt {
  uint64_t id = 0;
  // nullptr: abandoned (cancelled or timed out); it holds its room until the worker confirms.
  Task* task = nullptr;
  TaskId task_id;
  int32_t worker = -1;
  uint64_t incarnation = 0;
  size_t queue = 0;
  size_t function = 0;
  int64_t timeout_us = 0;
  // When control ends it as a time-out, if the worker has not: until it has begun, when it is taken
  // back.
  EngineMicros times_out_us = 0;
  // How long it may be silent once it has begun; 0: for ever. When it was heard last.
  int64_t heartbeat_us = 0;
  EngineMicros heard_us = 0;
  // Since when it holds its room, and for how long it was expected to.
  EngineMicros held_since_us = 0;
  int64_t expected_us = 0;
  // Its input is being read from the store: the worker has not heard of it.
  bool loading = false;
  // The worker has begun it.
  bool started = false;
  // Of its pool, its tenant's quota and its limit key: given up before the room on a worker that is
  // stuck.
  bool holds_slots = true;
  int32_t slots = 1;
  LimitKey* key = nullptr;
  // Of its input, until the worker has begun it.
  int64_t unstarted_bytes = 0;
  // Hello's scratch: the worker says that it runs it.
  bool confirmed = false;
  ListHook<LiveAttempt> worker_hook;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_H_
