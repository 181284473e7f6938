// Sequences: tasks of a tenant that run one after the other, in the order of their ids.
//
// A task is a member from its spawn until its end is settled and none of its attempts is left on a
// worker; one that halts its sequence stays one while it has ended and not succeeded. One member
// has the turn, and keeps it while it waits for another attempt; the others are held. A sequence
// without members is gone.
#ifndef GROVE_SERVER_TASKS_SEQUENCES_H_
#define GROVE_SERVER_TASKS_SEQUENCES_H_

#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

struct EngineState;
struct Task;

struct Sequence {
  // Tenant and key.
  std::pair<size_t, std::string> name;
  // Who has the turn; nullptr only while control recovers.
  Task* turn = nullptr;
  absl::btree_map<TaskId, Task*> behind;
};

// It has ended without success, and those of its sequence wait until that is mended.
bool Halts(const Task& task);
// It has no sequence, or the turn in it.
bool HasTurn(const Task& task);

// The task becomes a member of its spec's sequence, if that names one. It gets the turn if it is
// the only one, but not while control recovers.
void JoinSequence(EngineState& state, Task* task);
// The task's end is settled, or its last attempt has left its worker: if that was all, it leaves.
void LeaveIfDone(EngineState& state, Task* task);
// The task is forgotten.
void LeaveSequence(EngineState& state, Task* task);
// Of a RUNNING task, while control recovers: it has the turn.
void KeepTurn(Task* task);
// Nobody has the turn: the first of those behind gets it. Without any, the sequence is gone.
void PassTurn(EngineState& state, Sequence& sequence);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SEQUENCES_H_
