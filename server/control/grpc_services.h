// GrpcServices: the unary methods of control's API, each handed to the hub.
#ifndef GROVE_SERVER_CONTROL_GRPC_SERVICES_H_
#define GROVE_SERVER_CONTROL_GRPC_SERVICES_H_

#include "server/control/change_calls.h"
#include "server/control/engine_driver.h"
#include "server/control/grpc_call.h"
#include "server/control/inject_calls.h"
#include "server/control/limit_calls.h"
#include "server/control/operation_calls.h"
#include "server/control/payload_calls.h"
#include "server/control/raw_service.h"
#include "server/control/schedule_calls.h"
#include "server/control/task_calls.h"
#include "server/control/tenant_calls.h"
#include "server/control/token_calls.h"
#include "server/control/worker_calls.h"

namespace grove::control {

// What the services call; all outlive the gRPC server.
struct GrpcHandlers {
  EngineDriver& driver;
  TaskCalls& tasks;
  ChangeCalls& changes;
  const WorkerCalls& workers;
  InjectCalls& injections;
  OperationCalls& operations;
  TenantCalls& tenants;
  TokenCalls& tokens;
  LimitCalls& limits;
  ScheduleCalls& schedules;
  PayloadCalls& payloads;
};

// Those of TaskService, QueueService, PoolService, TenantService, ScheduleService, PayloadService,
// WorkerService, InspectService and OperationService.
void AddUnaryMethods(const GrpcContext& grpc, const GrpcHandlers& handlers, RawService& service);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_GRPC_SERVICES_H_
