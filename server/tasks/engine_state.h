// EngineState: everything the task engine knows.
//
// Records and the indices over them, without behaviour of its own: lifecycle.h changes a task's
// state, dispatch.h starts tasks, workers.h follows the workers, views.h answers questions. Only
// these and the engine see it.
#ifndef GROVE_SERVER_TASKS_ENGINE_STATE_H_
#define GROVE_SERVER_TASKS_ENGINE_STATE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "server/config/limits.h"
#include "server/tasks/change_log.h"
#include "server/tasks/counters.h"
#include "server/tasks/deadline_heap.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine.h"
#include "server/tasks/evicted_tasks.h"
#include "server/tasks/function_state.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/payload_ledger.h"
#include "server/tasks/queue_state.h"
#include "server/tasks/retained_tasks.h"
#include "server/tasks/sequences.h"
#include "server/tasks/slot_shares.h"
#include "server/tasks/task.h"
#include "server/tasks/task_index.h"
#include "server/tasks/task_queue.h"
#include "server/tasks/tenant_state.h"
#include "server/tasks/unconfirmed_write.h"
#include "server/tasks/unique_keys.h"
#include "server/tasks/worker_view.h"
#include "server/tenancy/directory.h"
#include "server/wall_time.h"

namespace grove::tasks {

using config::kWorkersMax;
// Of one of the daemon's own, or of one at the gateway: those begin at kWorkersMax.
inline constexpr int32_t kWorkerNumbersMax = kWorkersMax + config::kGatewayWorkersMax;
inline constexpr size_t kFunctionsMax = 10000;
// Long enough for a worker to reconnect after control was replaced.
inline constexpr int64_t kLinkGraceUs = 10 * kUsPerSecond;
// The worker enforces time-outs; control steps in this much later.
inline constexpr int64_t kTimeoutGraceUs = 2 * kUsPerSecond;
// Keeps one Tick() short; the next one goes on.
inline constexpr int kDispatchPerTickMax = 4096;
// Before an attempt whose input could not be read is tried again.
inline constexpr int64_t kLoadRetryUs = kUsPerSecond;
// After a recovery: for so long nothing starts before all workers have said what they run.
inline constexpr int64_t kWorkersAwaitedUs = kUsPerSecond;
// Beyond it the disk does not keep up, and durable tasks are refused.
inline constexpr size_t kUnconfirmedWritesMax = 500000;

struct PoolState {
  int64_t size = 0;
  // Slots that attempts hold, abandoned ones too.
  int64_t running = 0;
  // Queues that found too few left, in the order of their turns.
  std::vector<size_t> blocked;
};

struct TaskOfTurn {
  TaskId task;
  uint64_t turn = 0;
};

// Indices stand for things: a queue, pool or tenant is its place in the directory, a function its
// place in `functions` (InternFunction gives it out), all within bounds by construction. A worker's
// number alone comes from outside: FindWorker() is the one place that checks it.
struct EngineState {
  EngineState(const tenancy::Directory* directory, const EngineOptions& options);

  // --- Constant after construction ---

  const tenancy::Directory* const directory;
  const config::v1::Tasks limits;
  const uint32_t daemon_number;
  const SelfCheck self_check;
  // By payload_links.h; nullptr: there are none.
  PayloadLedger* const payloads;
  const int64_t recent_ends_bytes;

  // --- Time and identities: written by Advance(), Tick() and where an id is drawn ----------------

  EngineMicros now_us = 0;
  // The wall clock is ahead of the engine's by this: 0 until somebody sets it.
  int64_t wall_offset_us = 0;
  uint64_t turn = 0;
  TaskIdSource ids;
  uint64_t next_attempt;

  // --- Tasks: written by lifecycle.h and recovery alone ------------------------------------------

  TaskIndex tasks;
  UniqueKeys unique_keys;
  DeadlineHeap deadlines;
  // Settled ones, oldest end first, but for those that halt their sequences and recalled ones.
  IntrusiveList<Task, &Task::age_hook> ended;
  // Evicted and recalled ones, too.
  int64_t ended_count = 0;
  // By retention.h.
  RetainedTasks retained;
  // By evicted_tasks.h. Durable ones and the turns in which they settled, the oldest first: over
  // where that is another one now. What only the store has. What of it is here for a moment. The
  // turns in which those began who hold some of these.
  std::deque<TaskOfTurn> to_evict;
  absl::btree_map<TaskId, EvictedTask> evicted;
  int64_t evicted_bytes = 0;
  // Where the sweeps of those go on, by the tenant that is being deleted.
  absl::flat_hash_map<size_t, TaskId> evicted_sweeps;
  IntrusiveList<Task, &Task::age_hook> recalled;
  std::multiset<uint64_t> recall_holds;
  // By queue and function.
  absl::flat_hash_map<std::pair<size_t, size_t>, TaskCounts> counts;
  // What all tasks are charged with, and what the settled ones retain (task_memory.h).
  int64_t task_bytes = 0;
  int64_t ended_bytes = 0;
  // Of the settled ones, those that no store has, oldest end first (their place in a backlog is
  // free), and their part.
  IntrusiveList<Task, &Task::backlog_hook> ended_volatile;
  int64_t ended_volatile_bytes = 0;
  std::deque<TaskOfTurn> payloads_to_drop;

  // --- How tasks stand to others: written by holds.h, after.h and sequences.h --------------------

  // Tasks that others wait for, which have not ended for good, and who waits.
  absl::btree_set<std::pair<TaskId, TaskId>> awaited;
  // By tenant and key.
  absl::flat_hash_map<std::pair<size_t, std::string>, std::unique_ptr<Sequence>> sequences;
  // Settled ones that halt their sequences: no retention ends for them, and `ended` has none.
  IntrusiveList<Task, &Task::age_hook> halting;
  // For the next Tick(): to fail, and no longer held.
  std::vector<TaskId> doomed;
  std::vector<TaskId> to_release;

  std::vector<TenantState> tenants;
  SlotShares slots;
  // When worker time was counted last, and backlogs looked at for slots that are idle beside them.
  EngineMicros audited_us = 0;
  // Tasks that are SCHEDULED or QUEUED; tasks in all backlogs.
  int64_t waiting = 0;
  int64_t backlogged = 0;
  std::vector<QueueState> queues;
  std::vector<PoolState> pools;
  // Another after each change of quotas or limits in the directory.
  uint64_t limits_version = 1;
  // Limit keys without users, by when they may go.
  absl::btree_set<std::pair<EngineMicros, LimitKey*>> idle_keys;
  // Queues whose next function only full workers know.
  std::vector<size_t> blocked_on_workers;
  // The last Tick() stopped at kDispatchPerTickMax.
  bool dispatch_unfinished = false;

  // --- Workers: written by workers.h; room and attempts by lifecycle.h ---

  std::vector<FunctionState> functions;
  absl::flat_hash_map<std::string, size_t> function_index;
  bool any_worker_seen = false;
  // Those that workers at the gateway have announced.
  std::vector<size_t> gateway_functions;
  std::array<WorkerView, kWorkerNumbersMax> workers;
  // Their numbers, ascending.
  std::vector<int32_t> heard_of;
  absl::flat_hash_map<uint64_t, std::unique_ptr<LiveAttempt>> attempts;
  // Those that hold room although their task goes on without them.
  absl::flat_hash_map<TaskId, std::vector<uint64_t>> abandoned;
  // Workers below this number are waited for until then; 0: none is.
  EngineMicros workers_awaited_until_us = 0;
  int32_t workers_awaited = 0;

  // --- Store: written by lifecycle.h (Commit and the like) and Persisted() -----------------------

  uint64_t last_ticket = 0;
  std::deque<UnconfirmedWrite> unconfirmed;
  int64_t unconfirmed_bytes = 0;
  // Ended attempts whose acknowledgement waits for the store.
  absl::flat_hash_set<uint64_t> unacknowledged;
  absl::Status store_status;
  absl::Status store_room;

  // --- Recovery, while it goes on ----------------------------------------------------------------

  bool recovers = false;
  RecoveryReport recovery;
  std::vector<TaskId> recovered_holds;
  std::vector<Task*> recovered_ends;
  TaskId recovered_last;
  // Parsed into again and again: a million tasks need not make a message each.
  v1::TaskSpec recovered_spec;
  v1::Task recovered_progress;
  // Whose buckets are being counted anew: a user of each.
  absl::flat_hash_set<LimitKey*> recovered_keys;

  // For who watches tasks. Tokens of watches are of one epoch, which no other process has.
  ChangeLogs changes;
  const uint64_t epoch;

  // What is to be counted; the next Tick() hands it out.
  std::vector<Tally> tallies;

  // Takes in what the directory has more than before.
  void Grow();
  // Takes over the weight that the directory has of it.
  void Reweigh(size_t tenant);
  // Time as the engine sees it: never back.
  void Advance(EngineMicros to_us);
  // For what is stored and shown.
  WallMicros wall_us() const { return now_us + wall_offset_us; }
  WallMicros ToWall(EngineMicros us) const { return us + wall_offset_us; }
  EngineMicros FromWall(WallMicros us) const { return us - wall_offset_us; }
  // nullptr if there is none.
  Task* FindTask(TaskId id) const;
  // nullptr if no worker can have that number.
  WorkerView* FindWorker(int32_t number);
  const WorkerView* FindWorker(int32_t number) const;
  // From now on one of heard_of. Requires that FindWorker() finds it.
  WorkerView& HearOf(int32_t number);
  // The index of the function, added if it is new.
  size_t InternFunction(const std::string& name);
  const std::string& FunctionOf(const Task& task) const {
    return functions[task.function].description.name();
  }
  std::string NameOf(const Task& task) const { return NameOf(task.queue, task.id); }
  std::string NameOf(size_t queue, TaskId id) const;
  TenantState& TenantOf(const Task& task) {
    return tenants[directory->queues()[task.queue].tenant];
  }
  TaskCounts& CountsOf(const Task& task);
  // Anybody who asked would be told something else of it than before.
  void NoteChange(const Task& task);
  bool IsDispatchable(const WorkerView& worker) const {
    return worker.linked && !worker.draining && !worker.stuck;
  }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_STATE_H_
