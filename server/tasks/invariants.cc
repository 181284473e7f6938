#include "server/tasks/invariants.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/gateway_functions.h"
#include "server/tasks/holds.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/places.h"
#include "server/tasks/retention.h"
#include "server/tasks/sequences.h"
#include "server/tasks/slot_bounds.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

using Place = Task::Place;
using Stand = QueueState::Stand;
using Then = UnconfirmedWrite::Then;

// What holds of each kind of thing; the first thing that does not is kept.
class Audit {
 public:
  explicit Audit(const EngineState& state) : state_(state) {}

  absl::Status Run() {
    state_.tasks.ForEach([this](const Task& task) { CheckTask(task); });
    CheckEvicted();
    CheckTotals();
    CheckRelations();
    for (size_t i = 0; i < state_.queues.size(); ++i) CheckQueue(i);
    Expect(state_.backlogged == backlogged_in_all_, "backlogged ", state_.backlogged);
    CheckRounds();
    CheckPools();
    CheckKeys();
    CheckFunctions();
    for (int32_t i = 0; i < kWorkerNumbersMax; ++i) CheckWorker(i);
    CheckAttempts();
    CheckWrites();
    return broken_.empty() ? absl::OkStatus() : absl::InternalError(broken_);
  }

 private:
  void Expect(bool holds, std::string_view what, const auto&... where) {
    if (!holds && broken_.empty()) broken_ = StrCat(what, where...);
  }

  void CheckTask(const Task& task) {
    const std::string name = absl::StrCat(" of ", task.id.ToString());
    const TenantState& tenant = state_.tenants[state_.directory->queues()[task.queue].tenant];
    auto listed = tenant.tasks.find(task.id);
    Expect(listed != tenant.tasks.end() && listed->second == &task, "its tenant's tasks", name);
    Expect(task.state != v1::TASK_STATE_UNSPECIFIED, "no state", name);
    const bool running = task.state == v1::TASK_STATE_RUNNING;
    auto attempt = state_.attempts.find(task.past().attempt);
    Expect(running == (task.past().attempt != 0), "attempt and state", name);
    Expect(!running || (attempt != state_.attempts.end() && attempt->second->task == &task),
           "the live attempt", name);
    const bool due = task.heap_position != Task::kNoDeadline;
    const bool queued = task.state == v1::TASK_STATE_QUEUED;
    const bool expires = queued && task.spec.extras().schedule_to_start_us > 0;
    const bool scheduled = task.state == v1::TASK_STATE_SCHEDULED;
    Expect(due == (running || expires || (scheduled && task.schedule_us != 0)), "deadline", name);
    CheckHolds(task, name);
    CheckUniqueKey(task, name);
    const bool on_its_way_to_disk = task.spec.durable && !task.stored;
    Expect((task.place != Place::kNone) == (queued && !on_its_way_to_disk), "place", name);
    Expect(!running || !on_its_way_to_disk, "started before it is on disk", name);
    Expect(!task.settled || task.ended(), "settled and not ended", name);
    Expect(!task.ended() || task.settled || task.spec.durable, "volatile and not settled", name);
    ++of_queue_[task.queue][task.state];
    ++counts_[{task.queue, task.function}][task.state];
    backlogged_[task.queue] += task.place == Place::kBacklog;
    stranded_[task.function] += task.place == Place::kStranded;
    aside_[task.function] += task.place == Place::kAside;
    CheckKey(task, name);
    paused_[task.queue] += queued && task.is_paused();
    Expect(task.place == Place::kNone || (task.place == Place::kPaused) == task.is_paused(),
           "place of a paused one", name);
    due_ += due;
    settled_ += task.settled;
    Expect(!task.past().recalled || (task.settled && !Halts(task)), "recalled", name);
    recalled_ += task.past().recalled;
    if (task.settled && !Halts(task)) ends_.insert({task.id, task.past().end_us});
    settled_of_[task.queue] += task.settled;
    dead_letters_of_[task.queue] += task.settled && IsDeadLetter(task.state);
    settled_bytes_ += task.settled ? RetainedOf(task) : 0;
    volatile_bytes_ += task.settled && !task.spec.durable ? RetainedOf(task) : 0;
    task_bytes_ += task.charged_bytes;
    Expect(task.charged_bytes == MemoryOf(task), "charge", name);
    Expect(task.has_input() || (task.stored && task.spec.input.empty()), "input", name);
    Expect(task.has_output() || (task.settled && task.past().output.empty()), "output", name);
  }

  void CheckKey(const Task& task, const std::string& name) {
    Expect((task.key != nullptr) == (task.spec.extras().limit_key != nullptr && !task.ended()),
           "key", name);
    const bool waits =
        task.state == v1::TASK_STATE_QUEUED || task.state == v1::TASK_STATE_SCHEDULED;
    Used& of_tenant = of_tenant_[state_.directory->queues()[task.queue].tenant];
    of_tenant.waiting += waits;
    waiting_ += waits;
    of_tenant.waiting_bytes += waits ? task.input_bytes : 0;
    if (task.key == nullptr) return;
    Expect(task.key->name == *task.spec.extras().limit_key, "name of the key", name);
    ++of_key_[task.key].users;
    ForEachLevel(task.key, [&](const LimitKey& key) { of_key_[&key].waiting += waits; });
    const bool of_second = task.place == Place::kAsideOfSecondKey;
    const bool has_two = task.key->parent != nullptr;
    Expect(!of_second || has_two, "aside of a second key", name);
    if (of_second) ++of_key_[task.key].aside;
    if (task.place == Place::kAsideOfFirstKey) {
      ++of_key_[has_two ? task.key->parent : task.key].aside;
    }
  }

  // Nobody waits for what is over, and who is held is nowhere else.
  void CheckHolds(const Task& task, const std::string& name) {
    const bool scheduled = task.state == v1::TASK_STATE_SCHEDULED;
    Expect(scheduled || task.ended() || !IsHeld(task), "held and not scheduled", name);
    Expect(!scheduled || IsHeld(task) || task.schedule_us != 0 ||
               std::count(state_.to_release.begin(), state_.to_release.end(), task.id) > 0,
           "waits for nothing", name);
    halting_ += task.settled && Halts(task);
    if (task.relations == nullptr) return;
    const TaskRelations& relations = *task.relations;
    awaited_ += relations.waiting;
    Expect(relations.waiting == 0 || scheduled, "waits and is not scheduled", name);
    Expect(relations.suspended_for.empty() || IsSuspended(task), "suspended", name);
    Expect(!relations.is_doomed || scheduled, "doomed", name);
    const bool stays = !task.ended() || !task.settled || Halts(task);
    const bool has_sequence =
        task.spec.extras().relations != nullptr && !task.spec.extras().relations->sequence.empty();
    Expect(!has_sequence || !stays || relations.sequence != nullptr, "no sequence", name);
    if (relations.sequence == nullptr) return;
    ++members_;
    const auto own = relations.sequence->behind.find(task.id);
    Expect(HasTurn(task) != (own != relations.sequence->behind.end() && own->second == &task),
           "place in its sequence", name);
    Expect(relations.sequence->name.second == task.spec.extras().relations->sequence,
           "its sequence", name);
  }

  void CheckRelations() {
    Expect(state_.awaited.size() == awaited_, "awaited ", state_.awaited.size());
    for (const auto& [awaited, waiting] : state_.awaited) {
      const Task* task = state_.FindTask(awaited);
      Expect(task != nullptr && !task->settled, "awaited for nothing: ", awaited.ToString());
    }
    size_t members = 0;
    for (const auto& [name, sequence] : state_.sequences) {
      Expect(sequence->turn != nullptr, "nobody has the turn in ", name.second);
      members += 1 + sequence->behind.size();
    }
    Expect(members == members_, "members of sequences ", members, ", not ", members_);
    for (const Task* task = state_.halting.front(); task != nullptr;
         task = state_.halting.Next(task)) {
      Expect(task->settled && Halts(*task), "halts nothing: ", task->id.ToString());
    }
    Expect(state_.halting.Length() == halting_, "halting, not ", halting_);
  }

  void CheckUniqueKey(const Task& task, const std::string& name) {
    if (task.spec.extras().unique == nullptr || task.ended()) return;
    const size_t tenant = state_.directory->queues()[task.queue].tenant;
    const auto holder =
        state_.unique_keys.Find(tenant, task.function, task.spec.extras().unique->key);
    Expect(holder.has_value() && *holder == task.id, "unique key", name);
    ++unique_;
  }

  void CheckEvicted() {
    for (const auto& [id, task] : state_.evicted) {
      Expect(state_.FindTask(id) == nullptr, "evicted and there: ", id.ToString());
      ++counts_[{task.queue, task.function}][task.state];
      ++settled_;
      ++settled_of_[task.queue];
      dead_letters_of_[task.queue] += IsDeadLetter(task.state);
      ends_.insert({id, task.end_us});
    }
  }

  void CheckTotals() {
    Expect(state_.unique_keys.size() == unique_, "unique keys ", state_.unique_keys.size());
    size_t listed = 0;
    int64_t listed_ends = 0, evicted = 0;
    for (const TenantState& tenant : state_.tenants) {
      listed += tenant.tasks.size();
      evicted += tenant.use().evicted;
      listed_ends += tenant.ended.Length();
    }
    Expect(listed == state_.tasks.size(), "the tenants' tasks");
    Expect(evicted == static_cast<int64_t>(state_.evicted.size()), "evicted ", evicted);
    const int64_t elsewhere = evicted + recalled_;
    Expect(listed_ends + elsewhere == settled_, "the tenants' ends");
    Expect(state_.waiting == waiting_, "waiting ", state_.waiting, ", not ", waiting_);
    Expect(state_.task_bytes == task_bytes_, "task_bytes ", state_.task_bytes, ", not ",
           task_bytes_);
    const int64_t ended = state_.ended.Length();
    const int64_t passing = settled_ - halting_;
    Expect(ended + elsewhere == passing && state_.ended_count == passing, "ended_count ",
           state_.ended_count, ", listed ", ended, ", not ", passing);
    const absl::Status retained = CheckRetained(state_.retained, ends_);
    Expect(retained.ok(), Std(retained.message()));
    Expect(state_.recalled.Length() == recalled_, "recalled, not ", recalled_);
    Expect(state_.ended_volatile_bytes == volatile_bytes_, "ended_volatile_bytes");
    Expect(state_.ended_bytes == settled_bytes_, "ended_bytes ", state_.ended_bytes, ", not ",
           settled_bytes_);
    const auto& heap = state_.deadlines.entries();
    Expect(static_cast<int64_t>(heap.size()) == due_, "deadlines ", heap.size(), ", not ", due_);
    for (size_t i = 0; i < heap.size(); ++i) {
      Expect(heap[i].task->heap_position == i, "position in the heap");
      Expect(heap[(i - (i > 0)) / 2].deadline_us <= heap[i].deadline_us, "order of the heap");
    }
  }

  void CheckQueue(size_t index) {
    const QueueState& queue = state_.queues[index];
    const std::string where = absl::StrCat(" of queue ", index);
    auto& count = of_queue_[index];
    Expect(queue.scheduled == count[v1::TASK_STATE_SCHEDULED], "scheduled", where);
    Expect(queue.queued == count[v1::TASK_STATE_QUEUED], "queued", where);
    Expect(queue.running == count[v1::TASK_STATE_RUNNING], "running", where);
    Expect(queue.ended == settled_of_[index], "ended", where);
    Expect(queue.dead_letters == dead_letters_of_[index], "dead letters", where);
    int64_t by_age = 0;
    for (const Task* task = queue.by_age.front(); task != nullptr; task = queue.by_age.Next(task)) {
      Expect(task->state == v1::TASK_STATE_QUEUED && task->queue == index, "by_age", where);
      ++by_age;
    }
    Expect(by_age + queue.queued_paused == queue.queued, "by_age's length", where);
    Expect(queue.queued_paused == paused_[index], "queued_paused", where);
    const std::vector<const Task*> backlog = queue.backlog.InOrder();
    Expect(static_cast<int64_t>(backlog.size()) == backlogged_[index], "backlog's length", where);
    Expect(queue.backlog.Front() == (backlog.empty() ? nullptr : backlog[0]), "front", where);
    const bool has_work = !backlog.empty() && !queue.paused;
    Expect(queue.stand != Stand::kIdle || !has_work, "no turn for the backlog", where);
    Expect(queue.stand != Stand::kReady || has_work, "ready with nothing to start", where);
    backlogged_in_all_ += backlogged_[index];
    Expect(queue.stand != Stand::kBlockedOnWorkers || backlog.empty() || !HasRoom(*backlog[0]),
           "waits for a worker that has room: the front", where);
  }

  bool HasRoom(const Task& task) const {
    return std::any_of(state_.workers.begin(), state_.workers.end(), [&](const WorkerView& worker) {
      return state_.IsDispatchable(worker) && worker.knows(task.function) && worker.room() > 0;
    });
  }

  // Every key counts what uses it, and nobody waits for slots that are there.
  void CheckKeys() {
    for (const auto& [id, attempt] : state_.attempts) {
      Expect(attempt->holds_slots || attempt->key == nullptr, "key of attempt ", id);
      if (!attempt->holds_slots) continue;
      const int64_t slots = attempt->slots;
      of_tenant_[state_.directory->queues()[attempt->queue].tenant].slots += slots;
      if (attempt->key == nullptr) continue;
      ++of_key_[attempt->key].users;
      ForEachLevel(attempt->key, [&](const LimitKey& key) { of_key_[&key].slots += slots; });
    }
    size_t idle = 0;
    for (size_t i = 0; i < state_.tenants.size(); ++i) {
      const TenantState& tenant = state_.tenants[i];
      const Used& used = of_tenant_[i];
      Expect(tenant.use().waiting == used.waiting &&
                 tenant.use().waiting_bytes == used.waiting_bytes &&
                 tenant.use().slots == used.slots,
             "use of the quotas of tenant ", i);
      for (size_t queue : tenant.use().blocked) {
        const Task* front = state_.queues[queue].backlog.Front();
        Expect(front == nullptr || state_.queues[queue].paused || !FitsQuota(state_, *front),
               "queue waits for the quota of tenant ", i);
      }
      if (tenant.used == nullptr) continue;
      LimitKeys& keys = tenant.used->keys;
      for (auto& [name, key] : keys) {
        Expect(key.tenant == i && key.name == name, "name of key ", name);
        if (key.parent != nullptr) ++of_key_[key.parent].users;
      }
      for (auto& [name, key] : keys) CheckKey(key);
      for (auto& [name, key] : keys) idle += key.users == 0;
    }
    Expect(state_.idle_keys.size() == idle, "idle keys ", state_.idle_keys.size());
  }

  void CheckKey(LimitKey& key) {
    const Used& used = of_key_[&key];
    Expect(key.users == used.users && key.waiting == used.waiting && key.slots == used.slots,
           "use of key ", key.name);
    Expect(key.users > 0 || state_.idle_keys.contains({key.forget_us, &key}), "idle key ",
           key.name);
    int64_t aside = 0;
    for (const auto& [queue, tasks] : key.aside.queues) {
      aside += tasks.size();
      Expect(!tasks.empty() || tasks.called != nullptr, "nothing aside of key ", key.name);
      Expect(!tasks::HasRoom(state_, key, tasks), "nobody called of key ", key.name);
      Expect(tasks.called == nullptr || tasks.called->place == Place::kBacklog,
             "place of a called");
    }
    Expect(aside == used.aside, "aside of key ", key.name);
  }

  // Every queue stands where it says, and nowhere else.
  void CheckRounds() {
    for (const auto& [id, attempt] : state_.attempts) {
      ++running_[state_.directory->queues()[attempt->queue].tenant];
      ++of_function_[attempt->function];
    }
    std::vector<Stand> stands(state_.queues.size(), Stand::kIdle);
    const auto put = [&](size_t queue, Stand stand) {
      Expect(stands[queue] == Stand::kIdle, "stands twice: queue ", queue);
      stands[queue] = stand;
    };
    for (size_t tenant = 0; tenant < state_.tenants.size(); ++tenant) {
      size_t last = kNoQueue;
      for (size_t queue = state_.tenants[tenant].first_ready; queue != kNoQueue;
           queue = state_.queues[queue].after) {
        put(queue, Stand::kReady);
        Expect(state_.queues[queue].before == last, "chain of ready queues at ", queue);
        Expect(state_.directory->queues()[queue].tenant == tenant, "tenant of queue ", queue);
        last = queue;
      }
      Expect(state_.tenants[tenant].last_ready == last, "last ready of tenant ", tenant);
      Expect(state_.slots.shares().Waits(tenant) == (last != kNoQueue), "waits: tenant ", tenant);
      Expect(state_.slots.shares().running(tenant) == running_[tenant], "running of tenant ",
             tenant);
    }
    for (const PoolState& pool : state_.pools) {
      for (size_t queue : pool.blocked) put(queue, Stand::kBlockedOnPool);
    }
    for (const TenantState& tenant : state_.tenants) {
      for (size_t queue : tenant.use().blocked) put(queue, Stand::kBlockedOnQuota);
    }
    for (size_t queue : state_.blocked_on_workers) put(queue, Stand::kBlockedOnWorkers);
    for (size_t queue = 0; queue < stands.size(); ++queue) {
      Expect(stands[queue] == state_.queues[queue].stand, "stand of queue ", queue);
    }
  }

  void CheckPools() {
    std::vector<int64_t> running(state_.pools.size());
    for (const auto& [id, attempt] : state_.attempts) {
      if (!attempt->holds_slots) continue;
      running[state_.directory->queues()[attempt->queue].pool] += attempt->slots;
    }
    for (size_t i = 0; i < state_.pools.size(); ++i) {
      const PoolState& pool = state_.pools[i];
      Expect(pool.running == running[i], "running of pool ", i);
      for (size_t queue : pool.blocked) {
        const Task* front = state_.queues[queue].backlog.Front();
        Expect(front == nullptr || state_.queues[queue].paused || !FitsPool(state_, *front),
               "queue waits for pool ", i);
      }
    }
  }

  void CheckFunctions() {
    for (const auto& [of, counts] : state_.counts) {
      Expect(counts == counts_[of], "counts of queue ", of.first, " and function ", of.second);
    }
    for (size_t i = 0; i < state_.functions.size(); ++i) {
      const FunctionState& function = state_.functions[i];
      int64_t stranded = 0;
      for (const Task* task = function.stranded.front(); task != nullptr;
           task = function.stranded.Next(task)) {
        Expect(task->place == Place::kStranded, "place of a stranded task of function ", i);
        ++stranded;
      }
      Expect(stranded == stranded_[i], "stranded of function ", i);
      CheckAside(function, i);
    }
  }

  void CheckAside(const FunctionState& function, size_t index) {
    int64_t aside = 0;
    for (const auto& [queue, tasks] : function.aside.queues) {
      aside += tasks.size();
      Expect(!tasks.empty() || tasks.called != nullptr, "nothing aside of function ", index);
      Expect(!MayStart(state_, index) || tasks.called != nullptr, "none called of ", index);
      Expect(tasks.called == nullptr || tasks.called->place == Place::kBacklog,
             "place of a called");
      Expect(tasks.empty() || tasks.Front()->place == Place::kAside, "place of one aside");
    }
    Expect(aside == aside_[index], "aside of function ", index);
    Expect(function.running == of_function_[index], "running of function ", index);
  }

  void CheckWorker(int32_t number) {
    const WorkerView& worker = state_.workers[number];
    int64_t running = 0;
    int64_t unstarted = 0;
    for (const LiveAttempt* attempt = worker.attempts.front(); attempt != nullptr;
         attempt = worker.attempts.Next(attempt)) {
      Expect(attempt->worker == number && !attempt->confirmed, "an attempt of worker ", number);
      ++running;
      unstarted += attempt->unstarted_bytes;
    }
    Expect(worker.running == running, "running of worker ", number);
    Expect(worker.unstarted_bytes == unstarted, "unstarted_bytes of worker ", number);
    Expect(!worker.linked || worker.grace_ends_us == INT64_MAX, "grace of worker ", number);
    const bool is_known = std::ranges::binary_search(state_.heard_of, number);
    Expect(is_known || (!worker.linked && running == 0), "heard_of ", number);
    on_workers_ += running;
  }

  void CheckAttempts() {
    Expect(static_cast<int64_t>(state_.attempts.size()) == on_workers_, "attempts ",
           state_.attempts.size(), ", on workers ", on_workers_);
    size_t abandoned = 0;
    for (const auto& [task, attempts] : state_.abandoned) abandoned += attempts.size();
    for (const auto& [id, attempt] : state_.attempts) {
      const Task* task = attempt->task;
      abandoned -= task == nullptr;
      Expect(task == nullptr || (task->past().attempt == id && state_.FindTask(task->id) == task),
             "task of attempt ", id);
      Expect(task == nullptr || attempt->holds_slots, "no slots for attempt ", id);
      Expect(!attempt->loading || (task != nullptr && !attempt->started), "loading attempt ", id);
    }
    Expect(abandoned == 0, "abandoned attempts");
  }

  // Invariant 8's other half: whatever is not on disk yet waits for a write under way.
  void CheckWrites() {
    uint64_t last = 0;
    size_t acknowledgements = 0, inserts = 0, ends = 0;
    int64_t bytes = 0;
    for (const UnconfirmedWrite& write : state_.unconfirmed) {
      Expect(write.ticket > last && write.ticket <= state_.last_ticket, "order of tickets");
      last = write.ticket;
      bytes += write.bytes;
      acknowledgements += write.attempt != 0;
      Expect(write.attempt == 0 || state_.unacknowledged.contains(write.attempt),
             "unacknowledged lacks ", write.attempt);
      inserts += write.then == Then::kStored;
      ends += write.then == Then::kSettled;
    }
    Expect(bytes == state_.unconfirmed_bytes, "unconfirmed_bytes ", state_.unconfirmed_bytes);
    Expect(acknowledgements == state_.unacknowledged.size(), "unacknowledged's size");
    size_t unstored = 0, unsettled = 0;
    state_.tasks.ForEach([&](const Task& task) {
      unstored += task.spec.durable && !task.stored;
      unsettled += task.ended() && !task.settled;
    });
    Expect(inserts == unstored, "inserts under way ", inserts, ", not ", unstored);
    Expect(ends == unsettled, "ends under way ", ends, ", not ", unsettled);
  }

  struct Used {
    int64_t users = 0;
    int64_t waiting = 0;
    int64_t waiting_bytes = 0;
    int64_t slots = 0;
    int64_t aside = 0;
  };
  using ByState = std::array<int64_t, v1::TaskState_ARRAYSIZE>;

  const EngineState& state_;
  std::string broken_;
  // Counted from the tasks.
  absl::flat_hash_map<size_t, ByState> of_queue_;
  absl::flat_hash_map<std::pair<size_t, size_t>, TaskCounts> counts_;
  absl::flat_hash_map<size_t, int64_t> settled_of_;
  absl::flat_hash_map<size_t, int64_t> dead_letters_of_;
  absl::flat_hash_map<size_t, int64_t> backlogged_;
  absl::flat_hash_map<size_t, int64_t> stranded_;
  absl::flat_hash_map<size_t, int64_t> aside_;
  absl::flat_hash_map<size_t, int64_t> of_function_;  // attempts
  absl::flat_hash_map<size_t, Used> of_tenant_;
  absl::flat_hash_map<const LimitKey*, Used> of_key_;
  size_t unique_ = 0;
  absl::flat_hash_map<size_t, int64_t> paused_;
  absl::flat_hash_map<size_t, int64_t> running_;  // by tenant
  int64_t backlogged_in_all_ = 0;
  int64_t waiting_ = 0;
  int64_t due_ = 0;
  int64_t settled_ = 0;
  int64_t recalled_ = 0;
  RetainedEnds ends_;
  int64_t halting_ = 0;
  size_t awaited_ = 0;
  size_t members_ = 0;
  int64_t settled_bytes_ = 0;
  int64_t volatile_bytes_ = 0;
  int64_t task_bytes_ = 0;
  int64_t on_workers_ = 0;
};

}  // namespace

absl::Status CheckInvariants(const EngineState& state) {
  return Audit(state).Run();
}

}  // namespace grove::tasks
