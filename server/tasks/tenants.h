// How does a tenant leave the engine?
//
// Its tasks end or are cancelled, what they left is dropped, and then its place in the directory
// may be another's. Looking through all tasks is cut into steps.
#ifndef GROVE_SERVER_TASKS_TENANTS_H_
#define GROVE_SERVER_TASKS_TENANTS_H_

#include "server/tasks/engine_state.h"

namespace grove::tasks {

TenantLoad LoadOf(const EngineState& state, size_t tenant);
// As TaskEngine::SweepTenant.
bool SweepTenant(EngineState& state, size_t tenant, TenantSweep what, TaskId& after,
                 Effects& effects);
// Whether no task, attempt or queue's turn is the tenant's.
bool IsUnused(const EngineState& state, size_t tenant);
// Makes its queues and pools as new. Requires IsUnused().
void ForgetTenant(EngineState& state, size_t tenant);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TENANTS_H_
