// Slot bounds: whether the pool, the tenant's quota and the limits of its keys have slots left for
// a task, and what is taken of them.
//
// A pool or a quota that is full holds all tasks of a queue, and the queue stands aside as a whole;
// a limit of a key holds the tasks that name it, and each stands aside by itself (places.h).
#ifndef GROVE_SERVER_TASKS_SLOT_BOUNDS_H_
#define GROVE_SERVER_TASKS_SLOT_BOUNDS_H_

#include "server/tasks/engine_state.h"

namespace grove::tasks {

enum class Obstacle {
  kNone,
  kPool,
  kQuota,
  kFunction,
  kFirstKey,
  kSecondKey,
};

// What keeps a task from a slot, whatever workers there are. First what keeps all of its queue, so
// that none is moved for nothing.
Obstacle ObstacleOf(const EngineState& state, const Task& task);

bool FitsPool(const EngineState& state, const Task& task);
bool FitsQuota(const EngineState& state, const Task& task);
// `key` is one of the task's.
bool FitsKey(const EngineState& state, LimitKey& key, const Task& task);

// A SCHEDULED or QUEUED task more; or one less, with `sign` -1.
void CountWaiting(EngineState& state, const Task& task, int sign);
// The attempt holds `slots`, and is a user of `key`.
void TakeSlots(EngineState& state, LiveAttempt* attempt);
// Whoever waits for them is woken. Nothing happens if it holds none.
void GiveSlots(EngineState& state, LiveAttempt* attempt);

// Its quotas or limits are others: whoever waits for them is woken.
void Rebound(EngineState& state, size_t tenant);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SLOT_BOUNDS_H_
