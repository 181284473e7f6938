// GatewayFunctions: functions that a tenant's own processes run, which come by the worker gateway.
//
// Each is its tenant's alone, and its name begins with the tenant's: "acme/resize". Tasks of the
// tenant may say "resize", and mean that one before a function of the daemon's own of that name.
// The workers that have one are few and small beside the daemon's own: where all of them are full,
// its tasks stand aside, and others of their queues go on.
#ifndef GROVE_SERVER_TASKS_GATEWAY_FUNCTIONS_H_
#define GROVE_SERVER_TASKS_GATEWAY_FUNCTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "grove/internal/v1/link.pb.h"
#include "grove/v1/task_service.pb.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/store.h"

namespace grove::tasks {

inline bool IsGatewayWorker(int32_t number) {
  return number >= kWorkersMax;
}

// "acme/resize".
std::string GatewayFunctionName(std::string_view tenant, std::string_view function);
// "resize" of "acme/resize", and of "resize".
std::string_view ShortFunctionName(std::string_view name);
// It is the daemon's own, or the tenant's.
bool MayUseFunction(std::string_view name, std::string_view tenant);

// A worker at the gateway has announced it: it outlasts control, so that its tasks are taken before
// its workers are back. Nothing is written of what is known already.
void KeepFunction(EngineState& state, size_t function,
                  const internal::v1::FunctionDescription& description, Effects& effects);
// What KeepFunction() has written, of a tenant that is there; false: it is of a queue.
bool RecoverFunction(EngineState& state, const StoredQueue& stored);
// Its tenant goes.
void DropFunctionsOf(EngineState& state, std::string_view tenant, Effects& effects);
// Writes the whole name of the function that the tenant means into `spec`.
void ResolveFunction(const EngineState& state, std::string_view tenant, v1::TaskSpec& spec);

// There are workers at the gateway that have it, and none has room.
bool IsFullAtGateway(const EngineState& state, size_t function);
// As far as its own bound goes, and the room of its workers where they come by the gateway.
bool MayStart(const EngineState& state, size_t function);
// A worker has more room than before: those that stand aside for want of it come back.
void WakeGatewayFunctions(EngineState& state);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_GATEWAY_FUNCTIONS_H_
