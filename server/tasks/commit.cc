// Commit() comes last in every transition. It encodes the record as it stands then; a change after
// it would be on disk only with the next one, and lost if control died between (invariant 8). For
// the same reason nobody hears of an end before the store has it: Settle() follows the
// confirmation.
#include "server/tasks/commit.h"

#include "server/tasks/task_memory.h"
#include "server/tasks/views.h"

namespace grove::tasks {
namespace {

// Both copies are held until the store has it.
int64_t BytesOf(const StoreWrite& write) {
  return static_cast<int64_t>(write.task.spec.size() + write.task.progress.task.size());
}

}  // namespace

void WriteInsert(EngineState& state, const Task& task, Effects& effects) {
  StoreWrite& write = effects.writes.emplace_back();
  write.kind = StoreWrite::Kind::kInsert;
  write.ticket = ++state.last_ticket;
  write.task = EncodeTask(state, task);
  state.unconfirmed.push_back({.ticket = write.ticket,
                               .then = UnconfirmedWrite::Then::kStored,
                               .id = task.id,
                               .bytes = BytesOf(write)});
  state.unconfirmed_bytes += state.unconfirmed.back().bytes;
}

void Commit(EngineState& state, Task* task, Effects& effects, uint64_t attempt, int32_t worker) {
  Charge(state, *task);
  if (!task->spec.durable) {
    if (attempt != 0) effects.FrameTo(worker).add_acknowledged(attempt);
    if (task->ended()) Settle(state, task, effects);
    return;
  }
  StoreWrite& write = effects.writes.emplace_back();
  write.kind = StoreWrite::Kind::kUpdate;
  write.ticket = ++state.last_ticket;
  write.task.id = task->id;
  write.task.progress = EncodeProgress(state, *task);
  using Then = UnconfirmedWrite::Then;
  const Then then = task->ended() ? Then::kSettled : Then::kNothing;
  state.unconfirmed.push_back({write.ticket, then, task->id, attempt, worker, BytesOf(write)});
  state.unconfirmed_bytes += state.unconfirmed.back().bytes;
  if (attempt != 0) state.unacknowledged.insert(attempt);
}

void Unsettle(EngineState& state, Task* task) {
  state.ended.Remove(task);
  state.TenantOf(*task).ended.Remove(task);
  --state.ended_count;
  state.ended_bytes -= task->retained_bytes;
  if (task->spec.durable) return;
  state.ended_volatile.Remove(task);
  state.ended_volatile_bytes -= task->retained_bytes;
}

void Settle(EngineState& state, Task* task, Effects& effects) {
  task->settled = true;
  task->settled_turn = state.turn;
  state.NoteChange(*task);
  state.ended.PushBack(task);
  state.TenantOf(*task).ended.PushBack(task);
  if (!task->spec.durable) state.ended_volatile.PushBack(task);
  ++state.ended_count;
  Charge(state, *task);
  effects.ended.push_back(task->id);
  // What waits for it now is answered after this turn or the next; later askers read the store.
  if (task->spec.durable) state.payloads_to_drop.push_back({task->id, state.turn + 1});
}

}  // namespace grove::tasks
