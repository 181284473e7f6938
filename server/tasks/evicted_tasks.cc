// An eviction changes what is in memory and nothing else: counts, retention and whatever is told of
// the task stay as they are, and so does the store.
#include "server/tasks/evicted_tasks.h"

#include <utility>

#include "server/tasks/commit.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/payload_links.h"
#include "server/tasks/restoring.h"
#include "server/tasks/retention.h"
#include "server/tasks/sequences.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

TenantState& TenantOf(EngineState& state, const EvictedTask& task) {
  return state.tenants[state.directory->queues()[task.queue].tenant];
}

int64_t BytesOf(const EvictedTask& task) {
  if (task.request == nullptr) return kEvictedBytes;
  return kEvictedBytes + static_cast<int64_t>(3 * sizeof(EvictedRequest)) +
         static_cast<int64_t>(task.request->request_id.size());
}

constexpr int kEvictionsPerTickMax = 4096;

// Somebody may count on what was settled or recalled in that turn.
bool IsHeldSince(const EngineState& state, uint64_t turn) {
  return !state.recall_holds.empty() && turn >= *state.recall_holds.begin();
}

// Whoever waited for it was told in that turn or the next.
bool MayLeave(const EngineState& state, uint64_t turn) {
  return turn + 1 < state.turn && !IsHeldSince(state, turn);
}

bool HasTooMany(const EngineState& state) {
  if (state.to_evict.empty()) return false;
  return state.to_evict.size() > kRecentEndsMax ||
         state.ended_bytes - state.ended_volatile_bytes > state.recent_ends_bytes;
}

// Of what was abandoned somebody may still want the room back by the task's name.
bool CanLeave(const EngineState& state, const Task& task) {
  const bool is_member = task.relations != nullptr && task.relations->sequence != nullptr;
  return task.spec.durable && task.settled && !Halts(task) && !is_member &&
         !state.abandoned.contains(task.id);
}

std::unique_ptr<const EvictedRequest> RequestOf(const EngineState& state, Task& task) {
  if (task.spec.extras().request_id.empty()) return nullptr;
  auto request = std::make_unique<EvictedRequest>();
  request->request_id = task.spec.extras().request_id;
  request->fingerprint = KeepFingerprint(state, task);
  return request;
}

// Out of all that AddEvicted() has put it into.
EvictedTask Take(EngineState& state, TaskId id) {
  const auto found = state.evicted.find(id);
  EvictedTask task = std::move(found->second);
  state.evicted.erase(found);
  state.evicted_bytes -= BytesOf(task);
  TenantState& tenant = TenantOf(state, task);
  --tenant.InUse().evicted;
  if (task.request == nullptr) return task;
  auto& requests = tenant.InUse().evicted_requests;
  const auto own = requests.find(task.request->request_id);
  if (own != requests.end() && own->second == id) requests.erase(own);
  return task;
}

}  // namespace

std::optional<Standing> StandingOf(const EngineState& state, TaskId id) {
  if (const Task* task = state.FindTask(id)) {
    return Standing{.queue = task->queue, .settled = task->settled, .state = task->told_state()};
  }
  const EvictedTask* evicted = FindEvicted(state, id);
  if (evicted == nullptr) return std::nullopt;
  return Standing{.queue = evicted->queue, .settled = true, .state = evicted->state};
}

const EvictedTask* FindEvicted(const EngineState& state, TaskId id) {
  const auto found = state.evicted.find(id);
  return found == state.evicted.end() ? nullptr : &found->second;
}

std::optional<TaskId> FindEvictedRequest(const EngineState& state, size_t tenant,
                                         std::string_view request_id) {
  const auto& requests = state.tenants[tenant].use().evicted_requests;
  const auto found = requests.find(std::string(request_id));
  return found == requests.end() ? std::nullopt : std::optional(found->second);
}

// Of one that names a limit key, the key's rate of spawns is counted anew after a start; of one
// that names a payload, that it holds it.
bool IsBare(const EngineState& state, const Task& task) {
  const SpecExtras& extras = task.spec.extras();
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  const bool counts = state.directory->tenants()[tenant].bounds != nullptr;
  const bool has_payload = extras.input_payload != nullptr || task.past().output_payload != nullptr;
  return extras.request_id.empty() && !has_payload && !(counts && extras.limit_key != nullptr) &&
         (extras.relations == nullptr || extras.relations->sequence.empty()) &&
         (task.relations == nullptr || task.relations->webhook_task.empty());
}

EvictedTask AsEvicted(const EngineState& state, Task& task) {
  return {.end_us = task.past().end_us,
          .queue = static_cast<uint32_t>(task.queue),
          .function = static_cast<uint32_t>(task.function),
          .state = task.state,
          .request = RequestOf(state, task)};
}

void Evict(EngineState& state, Task* task) {
  if (!CanLeave(state, *task)) return;
  TenantState& tenant = state.TenantOf(*task);
  TaskPast& past = task->Past();
  EvictedTask evicted = AsEvicted(state, *task);
  if (evicted.request != nullptr) tenant.InUse().request_ids.Erase(task);
  if (past.recalled) {
    state.recalled.Remove(task);
  } else {
    state.ended.Remove(task);
    tenant.ended.Remove(task);
  }
  state.ended_bytes -= past.retained_bytes;
  state.task_bytes -= task->charged_bytes;
  const TaskId id = task->id;
  tenant.tasks.erase(id);
  state.tasks.Erase(task);
  AddEvicted(state, id, std::move(evicted));
}

void AddEvicted(EngineState& state, TaskId id, EvictedTask task) {
  state.evicted_bytes += BytesOf(task);
  TenantState& tenant = TenantOf(state, task);
  ++tenant.InUse().evicted;
  if (task.request != nullptr) {
    tenant.InUse().evicted_requests.try_emplace(task.request->request_id, id);
  }
  state.evicted.emplace(id, std::move(task));
}

void Recall(EngineState& state, const StoredTask& stored) {
  const EvictedTask* evicted = FindEvicted(state, stored.id);
  if (evicted == nullptr) return KeepRecalled(state, stored.id);
  std::unique_ptr<Task> restored = Restore(state, stored, evicted->queue);
  if (restored == nullptr || restored->state != evicted->state) return;
  const EvictedTask was = Take(state, stored.id);
  if (was.request != nullptr) restored->spec.Extras().fingerprint = was.request->fingerprint;
  restored->stored = true;
  restored->settled = true;
  TaskPast& past = restored->Past();
  past.recalled = true;
  past.end_us = was.end_us;
  past.settled_turn = state.turn;
  Task* task = AddTask(state, std::move(restored));
  state.recalled.PushBack(task);
  DropPayload(state, *task);
}

void KeepRecalled(EngineState& state, TaskId id) {
  Task* task = state.FindTask(id);
  if (task == nullptr || !task->settled || !CanLeave(state, *task)) return;
  TaskPast& past = task->Past();
  if (past.settled_turn == state.turn) return;
  past.settled_turn = state.turn;
  if (past.recalled) {
    state.recalled.Remove(task);
    state.recalled.PushBack(task);
  } else {
    state.to_evict.push_back({id, state.turn});
  }
}

void EvictSome(EngineState& state) {
  int left = kEvictionsPerTickMax;
  for (Task* task = state.recalled.front();
       left > 0 && task != nullptr && MayLeave(state, task->past().settled_turn);
       task = state.recalled.front()) {
    Evict(state, task);
    --left;
  }
  auto& waiting = state.to_evict;
  for (; left > 0 && !waiting.empty(); --left) {
    const TaskOfTurn& first = waiting.front();
    PrefetchAhead(state.tasks, waiting, [](const TaskOfTurn& later) { return later.task; });
    Task* task = state.FindTask(first.task);
    const bool is_there = task != nullptr && task->settled && !task->past().recalled &&
                          task->past().settled_turn == first.turn;
    if (is_there && (!HasTooMany(state) || !MayLeave(state, first.turn))) break;
    if (is_there) Evict(state, task);
    waiting.pop_front();
  }
}

bool HasSomeToEvict(const EngineState& state) {
  if (!state.recalled.empty() && !IsHeldSince(state, state.recalled.front()->past().settled_turn)) {
    return true;
  }
  return HasTooMany(state) && !IsHeldSince(state, state.to_evict.front().turn);
}

void DropEvicted(EngineState& state, TaskId id, Effects& effects) {
  const EvictedTask task = Take(state, id);
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  --state.counts[{task.queue, task.function}][task.state];
  CountEnded(state, task.queue, task.state, -1);
  Release(state, task.state);
  --state.ended_count;
  WriteDelete(state, id, effects);
  ReleasePayloadsOf(state, id);
  state.tenants[tenant].ForgetIfUnused(state.now_us);
}

}  // namespace grove::tasks
