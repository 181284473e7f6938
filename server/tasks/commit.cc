// Commit() comes last in every transition. It encodes the record as it stands then; a change after
// it would be on disk only with the next one, and lost if control died between (invariant 8). For
// the same reason nobody hears of an end before the store has it: Settle() follows the
// confirmation.
#include "server/tasks/commit.h"

#include <utility>

#include "server/tasks/after.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/retention.h"
#include "server/tasks/sequences.h"
#include "server/tasks/task_memory.h"
#include "server/tasks/views.h"

namespace grove::tasks {
namespace {

// Both copies are held until the store has it.
int64_t BytesOf(const StoreWrite& write) {
  return static_cast<int64_t>(write.task.spec.size() + write.task.input.size() +
                              write.task.progress.task.size());
}

}  // namespace

void WriteInsert(EngineState& state, Task& task, Effects& effects) {
  const bool leaves = task.input_bytes > kInlinePayloadBytesMax;
  if (leaves && !task.spec.extras().request_id.empty()) KeepFingerprint(state, task);
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
  if (write.task.progress.end_time_us != 0) EncodePlace(state, *task, write.task);
  using Then = UnconfirmedWrite::Then;
  const Then then = task->ended() ? Then::kSettled : Then::kNothing;
  state.unconfirmed.push_back({write.ticket, then, task->id, attempt, worker, BytesOf(write)});
  state.unconfirmed_bytes += state.unconfirmed.back().bytes;
  if (attempt != 0) state.unacknowledged.insert(attempt);
}

void WriteDelete(EngineState& state, TaskId id, Effects& effects) {
  StoreWrite& write = effects.writes.emplace_back();
  write.kind = StoreWrite::Kind::kDelete;
  write.ticket = ++state.last_ticket;
  write.task.id = id;
  state.unconfirmed.push_back({write.ticket, UnconfirmedWrite::Then::kNothing, id});
}

void ListEnd(EngineState& state, Task* task) {
  state.TenantOf(*task).ended.PushBack(task);
  CountEnded(state, task->queue, task->state, 1);
  if (Halts(*task)) return state.halting.PushBack(task);
  state.ended.PushBack(task);
  Retain(state, {.end_us = task->past().end_us, .id = task->id}, task->queue, task->state);
  if (!task->spec.durable) state.ended_volatile.PushBack(task);
  ++state.ended_count;
}

void Unsettle(EngineState& state, Task* task) {
  const bool was_recalled = std::exchange(task->Past().recalled, false);
  if (!was_recalled) state.TenantOf(*task).ended.Remove(task);
  CountEnded(state, task->queue, task->state, -1);
  state.ended_bytes -= task->past().retained_bytes;
  if (!task->spec.durable) state.ended_volatile_bytes -= task->past().retained_bytes;
  if (Halts(*task)) return state.halting.Remove(task);
  was_recalled ? state.recalled.Remove(task) : state.ended.Remove(task);
  Release(state, task->state);
  --state.ended_count;
  if (!task->spec.durable) state.ended_volatile.Remove(task);
}

void Settle(EngineState& state, Task* task, Effects& effects) {
  task->settled = true;
  task->Past().settled_turn = state.turn;
  state.NoteChange(*task);
  ListEnd(state, task);
  Charge(state, *task);
  TellAwaiting(state, *task);
  LeaveIfDone(state, task);
  effects.ended.push_back(task->id);
  if (!task->spec.durable) return;
  // What waits for it now is answered after this turn or the next.
  state.payloads_to_drop.push_back({task->id, state.turn + 1});
  state.to_evict.push_back({task->id, state.turn});
}

}  // namespace grove::tasks
