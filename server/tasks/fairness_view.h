// What the task engine tells of how worker time was shared: counted, and asked for.
#ifndef GROVE_SERVER_TASKS_FAIRNESS_VIEW_H_
#define GROVE_SERVER_TASKS_FAIRNESS_VIEW_H_

#include "server/tasks/counters.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/engine_time.h"

namespace grove::tasks {

// Right after Dispatch(): once a second, worker time and idle slots go to `state.tallies`.
void AuditFairness(EngineState& state);
// When it has something to do; INT64_MAX if never.
EngineMicros NextAudit(const EngineState& state);

// Its figures of tenants.
void FillFairness(EngineState& state, TaskCounters& counters);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_FAIRNESS_VIEW_H_
