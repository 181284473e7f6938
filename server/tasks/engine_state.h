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
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "server/tasks/counters.h"
#include "server/tasks/deadline_heap.h"
#include "server/tasks/engine.h"
#include "server/tasks/intrusive_list.h"
#include "server/tasks/task.h"
#include "server/tasks/task_queue.h"
#include "server/tenancy/directory.h"

namespace grove::tasks {

// As config.proto's bound on `workers`.
inline constexpr int32_t kWorkersMax = 256;
inline constexpr size_t kFunctionsMax = 10000;
// Long enough for a worker to reconnect after control was replaced.
inline constexpr int64_t kLinkGraceUs = 10 * kUsPerSecond;
// The worker enforces time-outs; control steps in this much later.
inline constexpr int64_t kTimeoutGraceUs = 2 * kUsPerSecond;
// Keeps one Tick() short; the next one goes on.
inline constexpr int kDispatchPerTickMax = 4096;
// Bounds on memory, where the counts alone would allow terabytes.
inline constexpr int64_t kLiveBytesMax = int64_t{2} << 30;
inline constexpr int64_t kRetainedBytesMax = int64_t{512} << 20;
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
  // Whether it stands in its tenant's `ready`, or waits in a `blocked`.
  bool in_turn = false;
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
  TaskCounters::Function counters;
};

struct WorkerView {
  bool linked = false;
  bool draining = false;
  int64_t pid = 0;
  uint64_t incarnation = 0;
  int64_t capacity = 0;
  // By function index.
  std::vector<bool> functions;
  IntrusiveList<LiveAttempt, &LiveAttempt::worker_hook> attempts;
  int64_t running = 0;
  // Attempts it runs that control does not know and has cancelled: they take room.
  absl::flat_hash_set<uint64_t> foreign;
  // Without a link: when its attempts are given up.
  int64_t grace_ends_us = INT64_MAX;

  int64_t room() const { return capacity - running - static_cast<int64_t>(foreign.size()); }
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
};

struct EngineState {
  EngineState(const tenancy::Directory* directory, const EngineOptions& options);

  const tenancy::Directory* const directory;
  // Defaults filled in.
  const config::v1::Tasks limits;

  int64_t now_us = 0;
  uint64_t turn = 0;
  TaskIdSource ids;
  uint64_t next_attempt;

  absl::flat_hash_map<TaskId, std::unique_ptr<Task>> tasks;
  absl::btree_map<TaskId, Task*> by_id;
  DeadlineHeap deadlines;
  // Settled ones, oldest end first.
  IntrusiveList<Task, &Task::age_hook> ended;
  int64_t ended_count = 0;
  int64_t ended_bytes = 0;
  int64_t live_bytes = 0;

  std::vector<TenantState> tenants;
  // Tenants with ready queues, in the order of their turns.
  std::deque<size_t> tenants_in_turn;
  std::vector<QueueState> queues;
  std::vector<PoolState> pools;
  // Queues whose next function only full workers know.
  std::vector<size_t> blocked_on_workers;
  // The last Tick() stopped at kDispatchPerTickMax.
  bool dispatch_unfinished = false;

  std::vector<FunctionState> functions;
  absl::flat_hash_map<std::string, size_t> function_index;
  bool any_worker_seen = false;
  std::array<WorkerView, kWorkersMax> workers;
  // Above the highest worker heard of.
  int32_t workers_end = 0;
  absl::flat_hash_map<uint64_t, std::unique_ptr<LiveAttempt>> attempts;

  uint64_t last_ticket = 0;
  std::deque<UnconfirmedWrite> unconfirmed;
  // Ended attempts whose acknowledgement waits for the store.
  absl::flat_hash_set<uint64_t> unacknowledged;
  absl::Status store_status;
  absl::btree_map<std::string, int64_t> rejected;

  // Time as the engine sees it: never back.
  void Advance(int64_t to_us);
  // nullptr if there is none.
  Task* FindTask(TaskId id) const;
  // The index of the function, added if it is new.
  size_t InternFunction(const std::string& name);
  std::string NameOf(const Task& task) const;
  bool IsDispatchable(const WorkerView& worker) const { return worker.linked && !worker.draining; }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_STATE_H_
