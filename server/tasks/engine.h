// TaskEngine: what happens to each task next.
//
// Told events and the time, it keeps every task's state and says in Effects what to send to workers
// and to the store. Pure: no clock, no I/O, no threads. Events change state; Tick() fires deadlines
// and starts what can start, so one Tick() after a batch of events is enough, and needed. Times
// (engine_time.h) may not go back: an earlier one counts as the latest seen.
// Owned and called by one thread: control's hub thread.
#ifndef GROVE_SERVER_TASKS_ENGINE_H_
#define GROVE_SERVER_TASKS_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grove/internal/v1/link.pb.h"
#include "grove/v1/fairness_service.pb.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "grove/v1/tenant_service.pb.h"
#include "server/tasks/audience.h"
#include "server/tasks/counters.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine_options.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/recovery_report.h"
#include "server/tasks/spawned.h"
#include "server/tasks/store.h"
#include "server/tasks/task_changes.h"
#include "server/tasks/task_id.h"
#include "server/tasks/task_query.h"
#include "server/tasks/tenant_load.h"
#include "server/tenancy/directory.h"
#include "server/wall_time.h"

namespace grove::tasks {

struct EngineState;
class TaskWatch;

class TaskEngine {
 public:
  // `directory` must outlive the engine.
  TaskEngine(const tenancy::Directory* directory, const EngineOptions& options);
  ~TaskEngine();
  TaskEngine(const TaskEngine&) = delete;
  TaskEngine& operator=(const TaskEngine&) = delete;

  // Takes over what the store held or an earlier engine had in memory, in the order of the ids and
  // before any other event. Running tasks stay so until their worker's Hello, or kLinkGraceUs from
  // now, settles them; those of another daemon's workers go back to their queues.
  void Recover(const StoredTask& stored, EngineMicros now_us);
  // An end that TaskStore::LoadEnded() gives; these in any order.
  void RecoverEnded(const EndedRecord& ended, EngineMicros now_us);
  // What was said of a queue; of one that the config lacks nothing is kept. Before the tasks.
  void RecoverQueue(const StoredQueue& stored);
  // After the last one.
  RecoveryReport EndRecovery(EngineMicros now_us);
  // What is in memory alone, as Recover() of the next engine takes it, in the order of the ids.
  void ForEachVolatile(absl::FunctionRef<void(const StoredTask&)> each) const;

  // --- Events: clients ---------------------------------------------------------------------------

  // `parent` is a tenant's resource name, "tenants/default" if empty. Refusals: INVALID_ARGUMENT,
  // NOT_FOUND, ALREADY_EXISTS (the request_id stands for something else; the unique key is taken),
  // RESOURCE_EXHAUSTED (the queue, the memory or the disk is full), UNAVAILABLE (no worker has
  // connected yet; the store fails).
  // What the task keeps is taken out of `spec`; its function and queue stay.
  absl::StatusOr<Spawned> Spawn(std::string_view parent, v1::TaskSpec&& spec, EngineMicros now_us,
                                Effects& effects, const SpawnOrigin& origin = {});
  // Nothing changes if the task has ended. INVALID_ARGUMENT, NOT_FOUND.
  absl::Status Cancel(std::string_view name, std::string_view reason, EngineMicros now_us,
                      Effects& effects);
  // Does it to the task; false if there was nothing to do. As CheckAction() and WouldChange() of
  // task_changes.h; NOT_FOUND.
  absl::StatusOr<bool> Change(TaskId id, const TaskAction& action, EngineMicros now_us,
                              Effects& effects);
  // Lasts over restarts. INVALID_ARGUMENT, NOT_FOUND.
  absl::Status PauseQueue(std::string_view name, std::string_view reason, Effects& effects);
  absl::Status ResumeQueue(std::string_view name, Effects& effects);
  absl::Status ResizePool(std::string_view name, int64_t size);

  // --- Events: workers ---------------------------------------------------------------------------

  // A link was made and the worker spoke. Refused (close the link): worker number out of range.
  absl::Status WorkerUp(internal::v1::Hello hello, EngineMicros now_us, Effects& effects);
  // The link broke, the process may live. Its attempts are interrupted if no link is made for
  // kLinkGraceUs.
  void WorkerUnlinked(int32_t worker, EngineMicros now_us);
  // The process is dead. To be told before its successor's WorkerUp or not at all.
  void WorkerDown(int32_t worker, EngineMicros now_us, Effects& effects);
  void WorkerDraining(int32_t worker);
  void WorkerCapacity(int32_t worker, int64_t capacity);
  // Its hub does not turn, or turns again. False if that was known.
  bool WorkerStuck(int32_t worker, bool is_stuck, EngineMicros now_us, Effects& effects);
  void AttemptStarted(int32_t worker, const internal::v1::AttemptStarted& started,
                      EngineMicros now_us);
  void AttemptEnded(int32_t worker, internal::v1::AttemptEnded&& ended, EngineMicros now_us,
                    Effects& effects);
  void AttemptProgress(int32_t worker, internal::v1::AttemptProgress progress, EngineMicros now_us);
  void AttemptHeartbeat(int32_t worker, internal::v1::AttemptHeartbeat heartbeat,
                        EngineMicros now_us, Effects& effects);
  // Time that its HTTP requests took of a worker's; nullopt: there is no such tenant.
  std::optional<size_t> CountHttp(std::string_view tenant, int64_t us, EngineMicros now_us);

  // --- Events: tenants that come and go ----------------------------------------------------------

  // The directory has grown, or has others in the places of retired ones.
  void Grow();
  // The tenant has another weight.
  void Reweigh(size_t tenant, EngineMicros now_us);
  // The tenant has other quotas or limits: at once after each change of these in the directory.
  void Rebound(size_t tenant, EngineMicros now_us);
  // Cancels the tasks of `tenant`, or drops those that have ended: a step of it, from the task
  // after `after` on (a TaskId() first). True once it has seen all of them.
  bool SweepTenant(size_t tenant, TenantSweep what, TaskId& after, EngineMicros now_us,
                   Effects& effects);
  TenantLoad LoadOf(size_t tenant) const;
  // Limit keys after `after` that begin with `prefix` and have tasks, by name, at most `max`.
  std::vector<v1::LimitUsage> ListKeys(size_t tenant, std::string_view prefix,
                                       std::string_view after, size_t max) const;
  // No task, not even one that has ended, and no attempt is the tenant's.
  bool IsUnused(size_t tenant) const;
  // Before Directory::Retire(). Requires IsUnused().
  void ForgetTenant(size_t tenant);
  // Of the last write for the store, and whether the store has confirmed all up to it.
  uint64_t last_ticket() const;

  // --- Events: store -----------------------------------------------------------------------------

  // As TaskStore::ReportCallback. While the store fails, or its volume is full, durable tasks are
  // refused.
  void Persisted(const StoreReport& report, EngineMicros now_us, Effects& effects);
  // What TaskStore::Read gave for Effects::loads, `asked`.
  void Loaded(absl::Span<const TaskId> asked, const absl::StatusOr<std::vector<StoredTask>>& found,
              EngineMicros now_us, Effects& effects);
  // Records of evicted tasks: as other tasks until the turn after the next, or as long as somebody
  // holds what was recalled since an earlier turn. KeepRecalled(): one that is there, too.
  void Recall(absl::Span<const StoredTask> found, EngineMicros now_us);
  void KeepRecalled(TaskId id);
  uint64_t HoldRecalled();
  void ReleaseRecalled(uint64_t hold);

  // --- Events: time

  void Tick(EngineMicros now_us, Effects& effects);
  // What is stored and shown from now on is on this clock. Moves nothing that is under way.
  void SetWallClock(WallMicros wall_us, EngineMicros now_us);
  // When Tick() is next needed without an event; INT64_MAX if never.
  EngineMicros NextDeadline() const;

  // --- Queries -----------------------------------------------------------------------------------

  // What ended longer ago than this is kept by no queue.
  int64_t LongestRetentionUs() const;
  // INVALID_ARGUMENT (not a task's name), NOT_FOUND.
  absl::StatusOr<TaskId> Find(std::string_view name) const;
  // The task that was spawned under that request_id of the tenant's, while it is remembered.
  std::optional<TaskId> FindRequest(size_t tenant, std::string_view request_id) const;
  // Its record is in the store alone: to be recalled before it is looked at or changed.
  bool IsEvicted(TaskId id) const;
  // What it ended as; nullopt: it has not ended for good, or is not there.
  std::optional<v1::TaskState> EndOf(TaskId id) const;
  // What is to be recalled before ListTasks() (errors as that), FindSome() or CountSome().
  absl::StatusOr<ListRecall> RecallForList(const v1::ListTasksRequest& request) const;
  std::optional<EndedQuery> EndedFor(const TaskQuery& query, const TaskCursor& cursor) const;
  // Ended for good: the end is on disk, if durable; or not yet. An unknown one is neither.
  bool IsSettled(TaskId id) const;
  bool IsUnderWay(TaskId id) const;
  // As much as `view` asks for and memory has; into `shown`, which is empty. NOT_FOUND.
  absl::StatusOr<v1::Task> Get(TaskId id, v1::TaskView view, EngineMicros now_us,
                               Audience audience = Audience::kOperators) const;
  absl::Status Show(TaskId id, v1::TaskView view, EngineMicros now_us, Audience audience,
                    v1::Task& shown) const;
  // Why it waits, and the task. NOT_FOUND.
  absl::StatusOr<v1::ExplainTaskResponse> Explain(TaskId id, EngineMicros now_us,
                                                  Audience audience = Audience::kOperators) const;
  // Whether Get() leaves out something that the store has: FillPayload() of payloads.h adds it.
  bool NeedsStore(TaskId id, v1::TaskView view) const;
  // As Get(), without what only the store has. A page may be short of page_size, even empty, while
  // a next_page_token says that more may follow: one call looks at no more than kListScanMax tasks,
  // and a page holds no more than kAnswerBytesMax, what is to be added included. The page ends at
  // `horizon` (ListRecall, EndedPage::next): what lies beyond it has not been recalled.
  absl::StatusOr<v1::ListTasksResponse> ListTasks(const v1::ListTasksRequest& request,
                                                  EngineMicros now_us,
                                                  Audience audience = Audience::kOperators,
                                                  std::optional<EndedPosition> horizon = {}) const;
  // INVALID_ARGUMENT: it can be done to no task.
  absl::Status CheckAction(const TaskAction& action) const;
  // What Change() would answer.
  absl::StatusOr<bool> WouldChange(TaskId id, const TaskAction& action) const;
  // INVALID_ARGUMENT, NOT_FOUND.
  absl::StatusOr<TaskQuery> Query(const std::string& parent, const v1::TaskFilter& filter) const;
  // The next matches, and how many of each state; a tenth of a millisecond's looks. False once
  // there are no more.
  bool FindSome(const TaskQuery& query, TaskCursor& cursor, std::vector<TaskId>& found) const;
  // The greatest id so far: those of later spawns are greater.
  TaskId NewestId() const;
  // Resource name; empty if there is no such task.
  std::string NameOf(TaskId id) const;
  bool CountSome(const TaskQuery& query, TaskCursor& cursor, TaskCounts& counts) const;
  absl::StatusOr<v1::Queue> GetQueue(std::string_view name, EngineMicros now_us,
                                     Audience audience = Audience::kOperators) const;
  absl::StatusOr<v1::ListQueuesResponse> ListQueues(const v1::ListQueuesRequest& request,
                                                    EngineMicros now_us,
                                                    Audience audience = Audience::kOperators) const;
  absl::StatusOr<v1::Pool> GetPool(std::string_view name) const;
  absl::StatusOr<v1::ListPoolsResponse> ListPools(const v1::ListPoolsRequest& request) const;
  // Of all workers seen, by name; for a tenant: not other tenants' own.
  absl::StatusOr<v1::ListFunctionsResponse> ListFunctions(const v1::ListFunctionsRequest& request,
                                                          std::string_view tenant = "") const;
  // Worker time of the last 10 s; of one tenant: its row alone. INVALID_ARGUMENT, NOT_FOUND.
  absl::StatusOr<v1::GetFairnessResponse> GetFairness(const v1::GetFairnessRequest& request,
                                                      EngineMicros now_us) const;
  TaskCounters Counters(EngineMicros now_us) const;
  // What a Tally's indices stand for.
  std::string_view FunctionName(size_t function) const;
  std::string_view QueueName(size_t queue) const;
  std::string_view TenantOf(size_t queue) const;
  std::string_view TenantName(size_t tenant) const;
  // Those that hold room, abandoned ones too: of all workers, and of one.
  int64_t attempts_running() const;
  int64_t RunningOn(int32_t worker) const;
  // Whose attempts wait for a worker of that number to come back; nullopt: nobody's.
  std::optional<uint64_t> AwaitedOn(int32_t worker) const;
  // What the store said last: OK while durable tasks can be stored, and while there is room.
  const absl::Status& store_status() const;
  const absl::Status& store_room() const;
  // As TaskWatch::Begin().
  absl::StatusOr<std::unique_ptr<TaskWatch>> Watch(const v1::WatchTasksRequest& request,
                                                   Audience audience, EngineMicros now_us) const;
  // Of the last write so far; and whether the disk has a write.
  bool IsOnDisk(uint64_t ticket) const;
  bool is_clogged() const;  // so much waits for the disk: nothing more is taken from workers

 private:
  std::unique_ptr<EngineState> state_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_H_
