// TaskStore: where durable tasks live beyond the process.
//
// The seam between the task engine and a database. The engine describes changes as StoreWrites with
// ascending tickets; a store applies them in that order and reports through which ticket they are
// safe.
#ifndef GROVE_SERVER_TASKS_STORE_H_
#define GROVE_SERVER_TASKS_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tasks/task_id.h"
#include "server/wall_time.h"

namespace grove::tasks {

// What changes over a task's life.
struct StoredProgress {
  // A serialized grove.v1.Task without `name` and `spec`.
  std::string task;
  // Of the attempt that runs; 0 if none.
  uint64_t attempt = 0;
  uint64_t incarnation = 0;
  int32_t worker = -1;
  // Attempts that failed or timed out; attempts whose worker died.
  int32_t failures = 0;
  int32_t interruptions = 0;
  // 0 until the task has ended.
  WallMicros end_time_us = 0;
};

// What is written once, and the progress.
struct StoredTask {
  TaskId id;
  std::string tenant;
  std::string queue;
  // A serialized grove.v1.TaskSpec, normalised.
  std::string spec;
  StoredProgress progress;
};

struct StoreWrite {
  enum class Kind { kInsert, kUpdate, kDelete };

  Kind kind = Kind::kInsert;
  // Ascending from 1 over the life of one engine.
  uint64_t ticket = 0;
  // kInsert: all of it. kUpdate: id and progress. kDelete: id.
  StoredTask task;
};

class TaskStore {
 public:
  // OK: every write up to `through` is on disk. Otherwise nothing after the last OK is; the store
  // keeps the writes and tries again by itself. Called on the store's own thread: the owner posts
  // it to its hub.
  using PersistedCallback = absl::AnyInvocable<void(absl::Status status, uint64_t through)>;

  virtual ~TaskStore() = default;

  // All tasks, in the order of their ids. Before Start().
  virtual absl::StatusOr<std::vector<StoredTask>> LoadAll() = 0;
  // How many times this store was opened, from 1: the high bits of attempt ids.
  virtual uint64_t start_number() const = 0;
  virtual void Start(PersistedCallback persisted) = 0;
  // Takes the writes over and returns at once.
  virtual void Write(std::vector<StoreWrite> writes) = 0;
  // Writes what is pending (one try) and ends the store's thread. No callback afterwards.
  virtual absl::Status Stop() = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_STORE_H_
