// Limit view: what is used of quotas and limits, for who asks and for metrics.
#ifndef GROVE_SERVER_TASKS_LIMIT_VIEW_H_
#define GROVE_SERVER_TASKS_LIMIT_VIEW_H_

#include "server/tasks/counters.h"
#include "server/tasks/engine_state.h"

namespace grove::tasks {

// Of tenants that have quotas.
void FillQuotas(const EngineState& state, TaskCounters& counters);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_LIMIT_VIEW_H_
