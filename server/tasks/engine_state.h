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
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "server/config/limits.h"
#include "server/tasks/counters.h"
#include "server/tasks/deadline_heap.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/task.h"
#include "server/tasks/task_queue.h"
#include "server/tenancy/directory.h"
#include "server/wall_time.h"

namespace grove::tasks {

using config::kWorkersMax;
inline constexpr size_t kFunctionsMax = 10000;
// Long enough for a worker to reconnect after control was replaced.
inline constexpr int64_t kLinkGraceUs = 10 * kUsPerSecond;
// The worker enforces time-outs; control steps in this much later.
inline constexpr int64_t kTimeoutGraceUs = 2 * kUsPerSecond;
// Keeps one Tick() short; the next one goes on.
inline constexpr int kDispatchPerTickMax = 4096;
// Inputs that are on their way to one worker: it is given nothing more before it has begun some.
// Below the bound of its outbox (worker_link.h), which is what would give way otherwise.
inline constexpr int64_t kUnstartedBytesMax = int64_t{32} << 20;
// Before an attempt whose input could not be read is tried again.
inline constexpr int64_t kLoadRetryUs = kUsPerSecond;
// Beyond it the disk does not keep up, and durable tasks are refused.
inline constexpr size_t kUnconfirmedWritesMax = 500000;

struct TenantState {
  // Queues that could start a task, in the order of their turns.
  std::deque<size_t> ready;
  absl::flat_hash_map<std::string, TaskId> request_ids;
};

struct QueueState {
  explicit QueueState(config::v1::Queue::Order order) : backlog(order) {}

  TaskQueue backlog;
  // All QUEUED tasks, longest waiting first.
  IntrusiveList<Task, &Task::age_hook> by_age;
  // Where it stands in the rounds of dispatch: in exactly one of these.
  enum class Stand {
    kIdle,              // Nowhere: nothing to start, or paused.
    kReady,             // In its tenant's `ready`.
    kBlockedOnPool,     // In its pool's `blocked`.
    kBlockedOnWorkers,  // In `blocked_on_workers`: those that know its first task's function are
                        // full.
  };
  Stand stand = Stand::kIdle;
  int64_t queued = 0;
  int64_t scheduled = 0;
  int64_t running = 0;
  int64_t spawned = 0;
  int64_t rejected = 0;
};

struct PoolState {
  int64_t size = 0;
  // Attempts that hold a slot, abandoned ones too.
  int64_t running = 0;
  // Queues that found it full, in the order of their turns.
  std::vector<size_t> blocked;
};

struct FunctionState {
  // A worker announced it. Recovered tasks may name functions that none has (yet).
  bool known = false;
  internal::v1::FunctionDescription description;
  IntrusiveList<Task, &Task::backlog_hook> stranded;
};

// Tasks held, by grove.v1.TaskState.
using TaskCounts = std::array<int64_t, v1::TaskState_ARRAYSIZE>;

struct WorkerView {
  bool linked = false;
  bool draining = false;
  // Its hub does not turn (runtime.stuck_ms).
  bool stuck = false;
  int64_t pid = 0;
  uint64_t incarnation = 0;
  int64_t capacity = 0;
  // By function index.
  std::vector<bool> functions;
  IntrusiveList<LiveAttempt, &LiveAttempt::worker_hook> attempts;
  int64_t running = 0;
  // Of the inputs of attempts that it has not begun.
  int64_t unstarted_bytes = 0;
  // Attempts it runs that control does not know and has cancelled: they take room.
  absl::flat_hash_set<uint64_t> foreign;
  // Without a link: when its attempts are given up.
  EngineMicros grace_ends_us = INT64_MAX;

  int64_t taken() const { return running + static_cast<int64_t>(foreign.size()); }
  int64_t room() const { return unstarted_bytes > kUnstartedBytesMax ? 0 : capacity - taken(); }
  bool knows(size_t function) const { return function < functions.size() && functions[function]; }
};

// What to do when the store has confirmed a write.
struct UnconfirmedWrite {
  enum class Then { kNothing, kStored, kSettled };

  uint64_t ticket = 0;
  Then then = Then::kNothing;
  TaskId id;
  // To be acknowledged to `worker`; 0 if none.
  uint64_t attempt = 0;
  int32_t worker = -1;
  // What the write holds until then.
  int64_t bytes = 0;
};

struct PayloadToDrop {
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

  // --- Time and identities: written by Advance(), Tick() and where an id is drawn
  // ------------------

  EngineMicros now_us = 0;
  // The wall clock is ahead of the engine's by this: 0 until somebody sets it.
  int64_t wall_offset_us = 0;
  uint64_t turn = 0;
  TaskIdSource ids;
  uint64_t next_attempt;

  // --- Tasks: written by lifecycle.h and recovery alone
  // --------------------------------------------

  absl::flat_hash_map<TaskId, std::unique_ptr<Task>> tasks;
  absl::btree_map<TaskId, Task*> by_id;
  DeadlineHeap deadlines;
  // Settled ones, oldest end first.
  IntrusiveList<Task, &Task::age_hook> ended;
  int64_t ended_count = 0;
  // By tenant and function.
  absl::flat_hash_map<std::pair<size_t, size_t>, TaskCounts> counts;
  // What all tasks are charged with, and what the settled ones retain (task_memory.h).
  int64_t task_bytes = 0;
  int64_t ended_bytes = 0;
  // Of the settled ones, those that no store has, oldest end first (their place in a backlog is
  // free), and their part.
  IntrusiveList<Task, &Task::backlog_hook> ended_volatile;
  int64_t ended_volatile_bytes = 0;
  std::deque<PayloadToDrop> payloads_to_drop;

  // --- Rounds: written by lifecycle.h (WakeQueue, WakePool) and dispatch.h
  // -------------------------

  std::vector<TenantState> tenants;
  // Tenants with ready queues, in the order of their turns.
  std::deque<size_t> tenants_in_turn;
  std::vector<QueueState> queues;
  std::vector<PoolState> pools;
  // Queues whose next function only full workers know.
  std::vector<size_t> blocked_on_workers;
  // The last Tick() stopped at kDispatchPerTickMax.
  bool dispatch_unfinished = false;

  // --- Workers: written by workers.h; room and attempts by lifecycle.h ---

  std::vector<FunctionState> functions;
  absl::flat_hash_map<std::string, size_t> function_index;
  bool any_worker_seen = false;
  std::array<WorkerView, kWorkersMax> workers;
  // Above the highest worker heard of.
  int32_t workers_end = 0;
  absl::flat_hash_map<uint64_t, std::unique_ptr<LiveAttempt>> attempts;

  // --- Store: written by lifecycle.h (Commit and the like) and Persisted()
  // -------------------------

  uint64_t last_ticket = 0;
  std::deque<UnconfirmedWrite> unconfirmed;
  int64_t unconfirmed_bytes = 0;
  // Ended attempts whose acknowledgement waits for the store.
  absl::flat_hash_set<uint64_t> unacknowledged;
  absl::Status store_status;
  absl::Status store_room;

  // --- Recovery, while it goes on
  // ----------------------------------------------------------------------------------

  RecoveryReport recovery;
  std::vector<Task*> recovered_ends;

  // What is to be counted; the next Tick() hands it out.
  std::vector<Tally> tallies;

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
  // From now on among WorkersHeardOf(). Requires that FindWorker() finds it.
  WorkerView& HearOf(int32_t number);
  std::span<const WorkerView> WorkersHeardOf() const;
  // The index of the function, added if it is new.
  size_t InternFunction(const std::string& name);
  std::string NameOf(const Task& task) const;
  TaskCounts& CountsOf(const Task& task);
  bool IsDispatchable(const WorkerView& worker) const {
    return worker.linked && !worker.draining && !worker.stuck;
  }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_STATE_H_
