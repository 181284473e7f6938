// The order is that of the ids, not of what happens: a task that is tried again after its end goes
// before those behind it, as soon as the one whose turn it is has ended.
#include "server/tasks/sequences.h"

#include <memory>
#include <utility>

#include "server/tasks/engine_state.h"

namespace grove::tasks {

bool Halts(const Task& task) {
  return task.spec.extras().relations != nullptr && task.spec.extras().relations->halts &&
         task.ended() && task.state != v1::TASK_STATE_SUCCEEDED;
}

bool HasTurn(const Task& task) {
  return task.relations == nullptr || task.relations->sequence == nullptr ||
         task.relations->sequence->turn == &task;
}

void JoinSequence(EngineState& state, Task* task) {
  if (task->spec.extras().relations == nullptr || task->spec.extras().relations->sequence.empty())
    return;
  if (task->relations->sequence != nullptr) return;
  const size_t tenant = state.directory->queues()[task->queue].tenant;
  std::pair name(tenant, task->spec.extras().relations->sequence);
  std::unique_ptr<Sequence>& sequence = state.sequences[name];
  if (sequence == nullptr) {
    sequence = std::make_unique<Sequence>();
    sequence->name = std::move(name);
  }
  task->relations->sequence = sequence.get();
  if (sequence->turn == nullptr && sequence->behind.empty() && !state.recovers) {
    sequence->turn = task;
  } else {
    sequence->behind.emplace(task->id, task);
  }
}

void LeaveIfDone(EngineState& state, Task* task) {
  const bool is_member = task->relations != nullptr && task->relations->sequence != nullptr;
  if (!is_member || !task->settled || Halts(*task) || state.abandoned.contains(task->id)) return;
  LeaveSequence(state, task);
}

void LeaveSequence(EngineState& state, Task* task) {
  if (task->relations == nullptr || task->relations->sequence == nullptr) return;
  Sequence& sequence = *std::exchange(task->relations->sequence, nullptr);
  if (sequence.turn != task) {
    sequence.behind.erase(task->id);
  } else {
    sequence.turn = nullptr;
  }
  if (sequence.turn == nullptr) PassTurn(state, sequence);
}

void KeepTurn(Task* task) {
  Sequence* sequence = task->relations == nullptr ? nullptr : task->relations->sequence;
  if (sequence == nullptr || sequence->turn != nullptr) return;
  sequence->behind.erase(task->id);
  sequence->turn = task;
}

void PassTurn(EngineState& state, Sequence& sequence) {
  if (sequence.behind.empty()) {
    state.sequences.erase(state.sequences.find(sequence.name));
    return;
  }
  sequence.turn = sequence.behind.begin()->second;
  sequence.behind.erase(sequence.behind.begin());
  state.to_release.push_back(sequence.turn->id);
}

}  // namespace grove::tasks
