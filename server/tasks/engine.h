// TaskEngine: what happens to each task next.
//
// Told events and the time, it keeps every task's state and says in Effects what to send to workers
// and to the store. Pure: no clock, no I/O, no threads. Events change state; Tick() fires deadlines
// and starts what can start, so one Tick() after a batch of events is enough, and needed. Times are
// microseconds since the epoch and may not go back (an earlier one counts as the latest seen).
// Owned and called by one thread: control's hub thread.
#ifndef GROVE_SERVER_TASKS_ENGINE_H_
#define GROVE_SERVER_TASKS_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "grove/internal/v1/link.pb.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/counters.h"
#include "server/tasks/effects.h"
#include "server/tasks/store.h"
#include "server/tasks/task_id.h"
#include "server/tenancy/directory.h"
#include "server/wall_time.h"

namespace grove::tasks {

struct EngineState;

enum class SelfCheck {
  kNever,
  // Recounts everything (invariants.h) and dies if it does not agree. Slow.
  kAfterEveryEvent,
};

#ifdef NDEBUG
inline constexpr SelfCheck kSelfCheckDefault = SelfCheck::kNever;
#else
inline constexpr SelfCheck kSelfCheckDefault = SelfCheck::kAfterEveryEvent;
#endif

struct EngineOptions {
  // Resolved: no field is 0.
  config::v1::Tasks tasks;
  // TaskStore::start_number(); the high bits of attempt ids. At least 1.
  uint64_t start_number = 1;
  // From the system's entropy; task ids are drawn from it.
  uint64_t seed = 0;
  SelfCheck self_check = kSelfCheckDefault;
};

struct Spawned {
  TaskId id;
  // Resource name.
  std::string name;
  // False: durable and not yet on disk; answer the caller when Effects::acknowledged names it.
  bool acknowledged = true;
};

// What Recover() did, for the log.
struct RecoveryReport {
  int64_t restored = 0;
  // Tasks whose queue the config lacks, by the queue's resource name. They stay in the store
  // untouched.
  absl::btree_map<std::string, int64_t> left_in_store;
  // Records that do not parse. They stay in the store untouched.
  int64_t unreadable = 0;
};

class TaskEngine {
 public:
  // `directory` must outlive the engine.
  TaskEngine(const tenancy::Directory* directory, const EngineOptions& options);
  ~TaskEngine();
  TaskEngine(const TaskEngine&) = delete;
  TaskEngine& operator=(const TaskEngine&) = delete;

  // Takes over what the store held, before any other event. Running tasks stay so until their
  // worker's Hello, or kLinkGraceUs from now, settles them.
  RecoveryReport Recover(const std::vector<StoredTask>& tasks, WallMicros now_us);

  // --- Events: clients ---------------------------------------------------------------------------

  // `parent` is a tenant's resource name, "tenants/default" if empty. Refusals: INVALID_ARGUMENT,
  // NOT_FOUND, RESOURCE_EXHAUSTED (the queue is full), UNAVAILABLE (no worker has connected yet;
  // the store fails).
  absl::StatusOr<Spawned> Spawn(std::string_view parent, v1::TaskSpec spec, WallMicros now_us,
                                Effects& effects);
  // Nothing changes if the task has ended. INVALID_ARGUMENT, NOT_FOUND.
  absl::Status Cancel(std::string_view name, std::string_view reason, WallMicros now_us,
                      Effects& effects);
  absl::Status ResizePool(std::string_view name, int64_t size);

  // --- Events: workers ---------------------------------------------------------------------------

  // A link was made and the worker spoke. Refused (close the link): worker number out of range.
  absl::Status WorkerUp(internal::v1::Hello hello, WallMicros now_us, Effects& effects);
  // The link broke, the process may live. Its attempts are interrupted if no link is made for
  // kLinkGraceUs.
  void WorkerUnlinked(int32_t worker, WallMicros now_us);
  // The process is dead: its attempts are interrupted. To be told before its successor's WorkerUp
  // or not at all: a new incarnation says the same.
  void WorkerDown(int32_t worker, WallMicros now_us, Effects& effects);
  void WorkerDraining(int32_t worker);
  void AttemptStarted(int32_t worker, const internal::v1::AttemptStarted& started);
  void AttemptEnded(int32_t worker, internal::v1::AttemptEnded ended, WallMicros now_us,
                    Effects& effects);
  void AttemptProgress(int32_t worker, internal::v1::AttemptProgress progress);

  // --- Events: store -----------------------------------------------------------------------------

  // As TaskStore::PersistedCallback. While the store fails, durable tasks are refused.
  void Persisted(const absl::Status& status, uint64_t through, WallMicros now_us, Effects& effects);

  // --- Events: time ------------------------------------------------------------------------------

  void Tick(WallMicros now_us, Effects& effects);
  // When Tick() is next needed without an event; INT64_MAX if never.
  WallMicros NextDeadline() const;

  // --- Queries -----------------------------------------------------------------------------------

  // INVALID_ARGUMENT (not a task's name), NOT_FOUND.
  absl::StatusOr<TaskId> Find(std::string_view name) const;
  // Ended for good: the end is on disk, if durable. False also if the task is unknown.
  bool IsSettled(TaskId id) const;
  // NOT_FOUND.
  absl::StatusOr<v1::Task> Get(TaskId id, WallMicros now_us) const;
  // A page may be short of page_size, even empty, while a next_page_token says that more may
  // follow: one call looks at no more than kListScanMax tasks.
  absl::StatusOr<v1::ListTasksResponse> ListTasks(const v1::ListTasksRequest& request,
                                                  WallMicros now_us) const;
  absl::StatusOr<v1::Queue> GetQueue(std::string_view name, WallMicros now_us) const;
  absl::StatusOr<v1::ListQueuesResponse> ListQueues(const v1::ListQueuesRequest& request,
                                                    WallMicros now_us) const;
  absl::StatusOr<v1::Pool> GetPool(std::string_view name) const;
  absl::StatusOr<v1::ListPoolsResponse> ListPools(const v1::ListPoolsRequest& request) const;
  // Union over all workers seen, by name.
  absl::StatusOr<v1::ListFunctionsResponse> ListFunctions(
      const v1::ListFunctionsRequest& request) const;
  TaskCounters Counters(WallMicros now_us) const;
  // Those that hold room, abandoned ones too.
  int64_t attempts_running() const;

 private:
  std::unique_ptr<EngineState> state_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_H_
