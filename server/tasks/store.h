// TaskStore: where durable tasks live beyond the process, and ended ones beyond memory.
//
// The seam between the task engine and a database. The engine describes changes as StoreWrites with
// ascending tickets; a store applies them in that order and reports through which ticket they are
// safe. What a database of any kind owes:
//   - Writes about one task may become one, and many tasks one transaction: after a crash it is
//     there as a whole, or not at all, and nothing is there that came later.
//   - Read() and FindEnded() see all that was reported as safe by the time they are asked, maybe
//     more, and one answer is of one instant. They hold up no write, nor the caller.
//   - FindEnded() finds by an index of tenant, queue, function and state, in the order of the ids
//     and of the ends: its cost is that of its page, not of what there is.
//   - Load() reads no record of a bare end; LoadEnded() reads the index alone.
//   - One owner at a time has it open, and each has a start_number() of its own.
// memory_store_test.cc holds implementations to it.
#ifndef GROVE_SERVER_TASKS_STORE_H_
#define GROVE_SERVER_TASKS_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tasks/ended_query.h"
#include "server/tasks/task_id.h"
#include "server/wall_time.h"

namespace grove::tasks {

// What changes over a task's life.
struct StoredProgress {
  // A serialized grove.v1.Task without `name`. Its `spec` is what has changed since the insert, if
  // anything has: priority, labels, delay and start_time.
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
  // The grove.v1.TaskState then. Written, and not read again: it stands in `task`.
  int32_t end_state = 0;
  // Of an ended task: nothing but how and when it ended is asked of it while others run, no
  // request_id, payload, webhook or sequence. Written, and not read again.
  bool is_bare = false;
};

// Inputs and outputs up to this length stay in memory (task_memory.h), and inputs are loaded with
// their tasks: to read them again would cost more than to keep them.
inline constexpr int64_t kInlinePayloadBytesMax = 256;

// What is written once, and the progress.
struct StoredTask {
  TaskId id;
  std::string tenant;
  std::string queue;
  // Written, and not read again: it stands in the spec.
  std::string function;
  // A serialized grove.v1.TaskSpec, normalised and without its input.
  std::string spec;
  std::string input;
  // Its length, also where Load() leaves it out. -1: it stands in the spec, as rows of schema
  // version 1 have it.
  int64_t input_bytes = -1;
  // Of a task with a request_id whose input Load() leaves out (fingerprint.h); else 0.
  uint64_t fingerprint = 0;
  StoredProgress progress;
};

// The answer to an EndedQuery.
struct EndedPage {
  // Without the inputs that are longer than kInlinePayloadBytesMax.
  std::vector<StoredTask> tasks;
  // There may be more: beyond it. Behind the last task where others were looked at in vain.
  std::optional<EndedPosition> next;
};

// What was said of a queue beside the config, or of a tenant's function at the gateway.
struct StoredQueue {
  std::string tenant;
  // Or "functions/resize".
  std::string queue;
  // A serialized grove.v1.Queue: `state` and `pause_reason`; or the FunctionDescription.
  std::string settings;
};

struct StoreWrite {
  enum class Kind { kInsert, kUpdate, kDelete, kQueue };

  Kind kind = Kind::kInsert;
  // Ascending from 1 over the life of one engine.
  uint64_t ticket = 0;
  // kInsert: all of it. kUpdate: id and progress; if that has an end, also tenant, queue and
  // function, by which the task is found from then on. kDelete: id. kQueue: tenant, queue and, in
  // progress.task, the queue's settings, of which nothing is kept if they are empty.
  StoredTask task;
};

// What of the ended tasks is worth loading: what ended before `ended_before_us` and all but the
// `ended_max` latest ends are deleted instead.
struct StoreRetention {
  WallMicros ended_before_us = 0;
  int64_t ended_max = INT64_MAX;
};

// How the store fares, told after every attempt to write.
struct StoreReport {
  // OK: every write up to `through` is on disk. Otherwise nothing after the last OK is; the store
  // keeps the writes and tries again by itself.
  absl::Status status;
  uint64_t through = 0;
  // RESOURCE_EXHAUSTED: little room is left on the volume. Writes still succeed, but no new task
  // should be taken, so that those there are can end and be deleted.
  absl::Status room;
};

class TaskStore {
 public:
  // Called on the store's own thread: the owner posts it to its hub.
  using ReportCallback = absl::AnyInvocable<void(StoreReport report)>;
  // The tasks found, in any order. Called on a thread of the store's.
  using ReadCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<StoredTask>> found)>;
  using FindCallback = absl::AnyInvocable<void(absl::StatusOr<EndedPage> found)>;

  virtual ~TaskStore() = default;

  // Hands the tasks over, one by one, in the order of their ids, after the retention was applied:
  // not the bare ends, and without the inputs that are longer than kInlinePayloadBytesMax, which a
  // start need not read.
  // What it deletes need not reach the disk (a full volume must not hinder a start): `each` sees
  // none of it either way. Before Start().
  virtual absl::Status Load(const StoreRetention& retention,
                            absl::FunctionRef<void(StoredTask)> each) = 0;
  // The bare ends that this retention leaves, in any order. Before Start().
  virtual absl::Status LoadEnded(const StoreRetention& retention,
                                 absl::FunctionRef<void(const EndedRecord&)> each) = 0;
  // What was said of queues. Before Start().
  virtual absl::Status LoadQueues(absl::FunctionRef<void(StoredQueue)> each) = 0;
  // How many times this store was opened, from 1: the high bits of attempt ids.
  virtual uint64_t start_number() const = 0;
  virtual void Start(ReportCallback report) = 0;
  // Takes the writes over and returns at once.
  virtual void Write(std::vector<StoreWrite> writes) = 0;
  // Reads what was confirmed to be on disk, and returns at once. Between Start() and Stop(); reads
  // that Stop() finds waiting are answered with UNAVAILABLE.
  virtual void Read(std::vector<TaskId> tasks, ReadCallback done) = 0;
  // Ended tasks that match, of those whose end was confirmed. As Read().
  virtual void FindEnded(EndedQuery query, FindCallback done) = 0;
  // Writes what is pending (one try) and ends the store's threads. No callback afterwards.
  virtual absl::Status Stop() = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_STORE_H_
