// Places: where a QUEUED task stands, and how it goes from one place to another.
//
// In its queue's backlog, to start in its turn; or beside it, while that cannot be: no worker knows
// its function, as many attempts of that run as may, or too few slots of a limit key are left. What
// stands beside its queue holds up no other task, and comes back to the front, one of each queue at
// a time, when there is room: whose turn it is decides which of them starts.
#ifndef GROVE_SERVER_TASKS_PLACES_H_
#define GROVE_SERVER_TASKS_PLACES_H_

#include "server/tasks/engine_state.h"

namespace grove::tasks {

// The place that it is to have; none while it is not on disk yet.
void TakePlace(EngineState& state, Task* task, bool to_front);
void LeavePlace(EngineState& state, Task* task);

// Its limit keys are to be others: nothing waits for it in their lanes. True: it stood in one, and
// has no place now.
bool LeaveKeyLanes(EngineState& state, Task* task);

// --- Of a task in the backlog --------------------------------------------------------------------

// No worker knows its function.
void Strand(EngineState& state, Task* task);
// Until there is room in what `place` says, one of Task::Place's asides.
void StandAside(EngineState& state, Task* task, Task::Place place);

// --- What stands beside its queue comes back -----------------------------------------------------

// A worker knows the function.
void Unstrand(EngineState& state, size_t function);
// The function may run more attempts than before, or the key has more slots left: of each queue the
// next one comes, and when that has started or gone, the one after it.
void WakeFunction(EngineState& state, size_t function);
void WakeKey(EngineState& state, LimitKey& key);

// Whether the next one of a queue that stands in the function's, or the key's, lane may come back.
bool HasRoom(const EngineState& state, size_t function, const AsideTasks& aside);
bool HasRoom(const EngineState& state, LimitKey& key, const AsideTasks& aside);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_PLACES_H_
