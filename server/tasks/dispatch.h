// Dispatch: which waiting task starts next, and on which worker.
//
// Tenants take turns, and within a tenant its queues; each turn starts one task, on the worker with
// most room. A queue that cannot start anything leaves the round and waits where its obstacle is
// (its pool, the workers, its function), so a dispatch costs O(workers) however many tasks and full
// pools there are.
#ifndef GROVE_SERVER_TASKS_DISPATCH_H_
#define GROVE_SERVER_TASKS_DISPATCH_H_

#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// Starts what can start, at most kDispatchPerTickMax; `dispatch_unfinished` says whether to go on.
void Dispatch(EngineState& state, Effects& effects);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_DISPATCH_H_
