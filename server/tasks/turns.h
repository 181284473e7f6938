// Turns: which queues have something to start, and where those stand that cannot.
//
// A tenant waits for worker time (SlotShares) as long as one of its queues is ready. Whatever
// removes a queue's obstacle wakes it.
#ifndef GROVE_SERVER_TASKS_TURNS_H_
#define GROVE_SERVER_TASKS_TURNS_H_

#include <cstddef>

#include "server/tasks/engine_state.h"

namespace grove::tasks {

// Gives the queue turns if it has something to start.
void WakeQueue(EngineState& state, size_t queue);
// Slots were given back, in this pool; it is larger.
void WakePool(EngineState& state, size_t pool);
// Slots were given back, of this tenant's quota; it is larger.
void WakeTenant(EngineState& state, size_t tenant);
// Some worker has more room than before.
void WakeBlockedOnWorkers(EngineState& state);
// The queue may have another first task than before, whose workers may have room, or for which
// slots enough are left.
void LookAgain(EngineState& state, size_t queue);

// Of a queue that is ready: the others of its tenant come first.
void PutLast(EngineState& state, size_t queue);
// Of a queue that is ready: it waits for its pool, its tenant's quota, or workers.
void Block(EngineState& state, size_t queue, QueueState::Stand on);
// What stops it is that others' tasks fill what its own need: if its tenant has nothing else to
// start, what that is owed is not forgotten.
void KeepOwed(EngineState& state, size_t queue);
// Of a queue that is ready: it has nothing to start.
void Rest(EngineState& state, size_t queue);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TURNS_H_
