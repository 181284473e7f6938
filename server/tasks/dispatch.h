// Dispatch: which waiting task starts next, and on which worker.
//
// Tenants get worker time by weight, and within a tenant its queues take turns; each turn starts
// one task, on the worker with most room. A queue that cannot start anything leaves the round and
// waits where its obstacle is (its pool, the workers, its function), so a dispatch costs O(workers)
// however many tasks and full pools there are.
#ifndef GROVE_SERVER_TASKS_DISPATCH_H_
#define GROVE_SERVER_TASKS_DISPATCH_H_

#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// Starts what can start, at most kDispatchPerTickMax; `dispatch_unfinished` says whether to go on.
void Dispatch(EngineState& state, Effects& effects);

struct Slots {
  int64_t all = 0;
  // Of these, not taken.
  int64_t room = 0;
};

// Of the workers that may be given something.
Slots CountSlots(const EngineState& state);

// Slots that are idle although some queue's next task could start: none, unless a wake-up was lost.
// Asks every queue, not the rounds. Right after Dispatch(), or anytime before another event.
int64_t IdleBesideBacklog(const EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_DISPATCH_H_
