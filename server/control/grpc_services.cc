#include "server/control/grpc_services.h"

#include <utility>

#include "grove/v1/fairness_service.pb.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "grove/v1/payload_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/schedule_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "grove/v1/tenant_service.pb.h"
#include "grove/v1/worker_service.pb.h"
#include "server/control/answer.h"
#include "server/control/call_audience.h"

namespace grove::control {
namespace {

// Methods that hand their calls to the hub.
class Methods {
 public:
  Methods(const GrpcContext& grpc, RawService& service) : grpc_(grpc), service_(service) {}

  // A body that may finish the call later.
  template <typename Request, typename Response, typename Body>
  void Later(const MethodRow& row, Body body) {
    service_.AddUnary(row.method, [grpc = grpc_, &row, body](RawService::Context* context,
                                                             const grpc::ByteBuffer* request,
                                                             grpc::ByteBuffer* response) {
      return UnaryCall<Request, Response>::Start(grpc, row, context, request, response, body);
    });
  }

  // A body that returns the call's status.
  template <typename Request, typename Response, typename Body>
  void AtOnce(const MethodRow& row, Body body) {
    Later<Request, Response>(
        row, [body](const CallPtr& call, const Request& request, Response& response) {
          call->Finish(body(request, response));
        });
  }

 private:
  const GrpcContext grpc_;
  RawService& service_;
};

// Moves a result into the response, or its field `target`.
template <typename T>
absl::Status Take(absl::StatusOr<T> result, T& target) {
  if (!result.ok()) return result.status();
  target = *std::move(result);
  return absl::OkStatus();
}

void AddTaskMethods(Methods& methods, TaskCalls& calls) {
  methods.Later<v1::SpawnTaskRequest, v1::SpawnTaskResponse>(
      RowOf("TaskService/SpawnTask"),
      [&calls](auto& call, auto& q, auto& r) { calls.Spawn(call, q, r); });
  methods.Later<v1::BatchSpawnTasksRequest, v1::BatchSpawnTasksResponse>(
      RowOf("TaskService/BatchSpawnTasks"),
      [&calls](auto& call, auto& q, auto& r) { calls.BatchSpawn(call, q, r); });
  methods.Later<v1::GetTaskRequest, v1::GetTaskResponse>(
      RowOf("TaskService/GetTask"),
      [&calls](auto& call, auto& q, auto& r) { calls.Get(call, q, r); });
  methods.Later<v1::WaitTaskRequest, v1::WaitTaskResponse>(
      RowOf("TaskService/WaitTask"),
      [&calls](auto& call, auto& q, auto& r) { calls.Wait(call, q, r); });
  methods.Later<v1::BatchWaitTasksRequest, v1::BatchWaitTasksResponse>(
      RowOf("TaskService/BatchWaitTasks"),
      [&calls](auto& call, auto& q, auto& r) { calls.BatchWait(call, q, r); });
  methods.Later<v1::ListTasksRequest, v1::ListTasksResponse>(
      RowOf("TaskService/ListTasks"),
      [&calls](auto& call, auto& q, auto& r) { calls.List(call, q, r); });
  methods.Later<v1::CountTasksRequest, v1::CountTasksResponse>(
      RowOf("TaskService/CountTasks"),
      [&calls](auto& call, auto& q, auto& r) { calls.Count(call, q, r); });
  methods.Later<v1::ExplainTaskRequest, v1::ExplainTaskResponse>(
      RowOf("TaskService/ExplainTask"),
      [&calls](auto& call, auto& q, auto& r) { calls.Explain(call, q, r); });
}

// One that does something to the task that the request names.
template <typename Request, typename Response>
void AddChange(Methods& methods, const MethodRow& row, ChangeCalls& calls,
               tasks::TaskAction::Kind kind) {
  methods.Later<Request, Response>(row, [&calls, kind](auto& call, auto& q, auto& r) {
    tasks::TaskAction action{.kind = kind};
    if constexpr (requires { q.reason(); }) action.reason = q.reason();
    v1::Task* task = nullptr;
    if constexpr (requires { r.mutable_task(); }) task = r.mutable_task();
    calls.Change(call, q.name(), std::move(action), task);
  });
}

// Those that may reach the task's descendants, or make another task of it.
void AddFamilyMethods(Methods& methods, ChangeCalls& changes, TaskCalls& calls) {
  using Kind = tasks::TaskAction::Kind;
  methods.Later<v1::CancelTaskRequest, v1::CancelTaskResponse>(
      RowOf("TaskService/CancelTask"), [&changes, &calls](auto& call, auto& q, auto& r) {
        if (!q.descendants()) return calls.Cancel(call, q, r);
        changes.ChangeFamily(call, q.name(), {.kind = Kind::kCancel, .reason = q.reason()},
                             *r.mutable_task());
      });
  methods.Later<v1::ForceCancelTaskRequest, v1::ForceCancelTaskResponse>(
      RowOf("TaskService/ForceCancelTask"), [&changes](auto& call, auto& q, auto& r) {
        const tasks::TaskAction action{.kind = Kind::kForceCancel, .reason = q.reason()};
        if (!q.descendants()) return changes.Change(call, q.name(), action, r.mutable_task());
        changes.ChangeFamily(call, q.name(), action, *r.mutable_task());
      });
  methods.Later<v1::RetryTaskRequest, v1::RetryTaskResponse>(
      RowOf("TaskService/RetryTask"), [&changes, &calls](auto& call, auto& q, auto& r) {
        if (q.as_new()) return calls.RetryAsNew(call, q, r);
        changes.Change(call, q.name(), {.kind = Kind::kRetry}, r.mutable_task());
      });
}

void AddChangeMethods(Methods& methods, ChangeCalls& calls) {
  using Kind = tasks::TaskAction::Kind;
  AddChange<v1::PauseTaskRequest, v1::PauseTaskResponse>(methods, RowOf("TaskService/PauseTask"),
                                                         calls, Kind::kPause);
  AddChange<v1::ResumeTaskRequest, v1::ResumeTaskResponse>(methods, RowOf("TaskService/ResumeTask"),
                                                           calls, Kind::kResume);
  AddChange<v1::DeleteTaskRequest, v1::DeleteTaskResponse>(methods, RowOf("TaskService/DeleteTask"),
                                                           calls, Kind::kDelete);
  methods.Later<v1::UpdateTaskRequest, v1::UpdateTaskResponse>(
      RowOf("TaskService/UpdateTask"),
      [&calls](auto& call, auto& q, auto& r) { calls.Update(call, q, r); });
  methods.Later<v1::BatchChangeTasksRequest, v1::BatchChangeTasksResponse>(
      RowOf("TaskService/BatchChangeTasks"),
      [&calls](auto& call, auto& q, auto& r) { calls.Batch(call, q, r); });
}

void AddQueueMethods(Methods& methods, const EngineDriver& driver, ChangeCalls& calls) {
  methods.Later<v1::ListQueuesRequest, v1::ListQueuesResponse>(
      RowOf("QueueService/ListQueues"), [&driver](auto& call, auto& q, auto& r) {
        call->Finish(Take(driver.engine().ListQueues(q, driver.Now(), AudienceOf(*call)), r));
      });
  methods.Later<v1::GetQueueRequest, v1::GetQueueResponse>(
      RowOf("QueueService/GetQueue"), [&driver](auto& call, auto& q, auto& r) {
        call->Finish(Take(driver.engine().GetQueue(q.name(), driver.Now(), AudienceOf(*call)),
                          *r.mutable_queue()));
      });
  methods.Later<v1::PauseQueueRequest, v1::PauseQueueResponse>(
      RowOf("QueueService/PauseQueue"), [&calls](auto& call, auto& q, auto& r) {
        calls.PauseQueue(call, q.name(), q.reason(), *r.mutable_queue());
      });
  methods.Later<v1::ResumeQueueRequest, v1::ResumeQueueResponse>(
      RowOf("QueueService/ResumeQueue"), [&calls](auto& call, auto& q, auto& r) {
        calls.ResumeQueue(call, q.name(), *r.mutable_queue());
      });
  methods.Later<v1::PurgeQueueRequest, v1::PurgeQueueResponse>(
      RowOf("QueueService/PurgeQueue"),
      [&calls](auto& call, auto& q, auto& r) { calls.PurgeQueue(call, q, r); });
}

void AddPoolMethods(Methods& methods, EngineDriver& driver) {
  methods.AtOnce<v1::ListPoolsRequest, v1::ListPoolsResponse>(
      RowOf("PoolService/ListPools"),
      [&driver](auto& q, auto& r) { return Take(driver.engine().ListPools(q), r); });
  methods.AtOnce<v1::GetPoolRequest, v1::GetPoolResponse>(
      RowOf("PoolService/GetPool"), [&driver](auto& q, auto& r) {
        return Take(driver.engine().GetPool(q.name()), *r.mutable_pool());
      });
  methods.AtOnce<v1::ResizePoolRequest, v1::ResizePoolResponse>(
      RowOf("PoolService/ResizePool"), [&driver](auto& q, auto& r) -> absl::Status {
        absl::Status resized = driver.ResizePool(q.name(), q.size());
        if (!resized.ok()) return resized;
        return Take(driver.engine().GetPool(q.name()), *r.mutable_pool());
      });
}

void AddFairnessMethods(Methods& methods, const EngineDriver& driver) {
  methods.AtOnce<v1::GetFairnessRequest, v1::GetFairnessResponse>(
      RowOf("FairnessService/GetFairness"), [&driver](auto& q, auto& r) {
        return Take(driver.engine().GetFairness(q, driver.Now()), r);
      });
}

void AddWorkerMethods(Methods& methods, const WorkerCalls& calls) {
  methods.AtOnce<v1::ListWorkersRequest, v1::ListWorkersResponse>(
      RowOf("WorkerService/ListWorkers"),
      [&calls](auto& q, auto& r) { return calls.ListWorkers(q, r); });
}

void AddInspectMethods(Methods& methods, const WorkerCalls& calls,
                       const tasks::TaskEngine& engine) {
  methods.Later<v1::ListFibersRequest, v1::ListFibersResponse>(
      RowOf("InspectService/ListFibers"),
      [&calls](auto& call, auto& q, auto& r) { calls.ListFibers(call, q, r); });
  methods.Later<v1::GetFiberRequest, v1::Fiber>(
      RowOf("InspectService/GetFiber"),
      [&calls](auto& call, auto& q, auto& r) { calls.GetFiber(call, q, r); });
  methods.Later<v1::ListFunctionsRequest, v1::ListFunctionsResponse>(
      RowOf("InspectService/ListFunctions"), [&engine](auto& call, auto& q, auto& r) {
        call->Finish(Take(engine.ListFunctions(q, call->principal().tenant), r));
      });
}

// One that the supervisor carries out: `field` sets what the request to it asks for.
template <typename Request, typename Field>
void AddOperation(Methods& methods, const MethodRow& row, OperationCalls& calls, Field field) {
  methods.Later<Request, v1::Operation>(row, [&calls, field](auto& call, auto& q, auto& r) {
    internal::v1::OperationRequest request;
    *(request.*field)() = q;
    calls.Begin(call, std::move(request), r);
  });
}

void AddOperationMethods(Methods& methods, OperationCalls& calls) {
  using Asked = internal::v1::OperationRequest;
  AddOperation<v1::ScaleWorkersRequest>(methods, RowOf("OperationService/ScaleWorkers"), calls,
                                        &Asked::mutable_scale);
  AddOperation<v1::RestartWorkersRequest>(methods, RowOf("OperationService/RestartWorkers"), calls,
                                          &Asked::mutable_restart);
  AddOperation<v1::DrainRequest>(methods, RowOf("OperationService/Drain"), calls,
                                 &Asked::mutable_drain);
  AddOperation<v1::ReloadRequest>(methods, RowOf("OperationService/Reload"), calls,
                                  &Asked::mutable_reload);
  AddOperation<v1::UpgradeRequest>(methods, RowOf("OperationService/Upgrade"), calls,
                                   &Asked::mutable_upgrade);
  AddOperation<v1::SetLogLevelRequest>(methods, RowOf("OperationService/SetLogLevel"), calls,
                                       &Asked::mutable_set_log_level);
  methods.Later<v1::GetOperationRequest, v1::Operation>(
      RowOf("OperationService/GetOperation"),
      [&calls](auto& call, auto& q, auto& r) { calls.Get(call, q, r); });
  methods.Later<v1::ListOperationsRequest, v1::ListOperationsResponse>(
      RowOf("OperationService/ListOperations"),
      [&calls](auto& call, auto& q, auto& r) { calls.List(call, q, r); });
  methods.Later<v1::GetConfigRequest, v1::GetConfigResponse>(
      RowOf("OperationService/GetConfig"),
      [&calls](auto& call, auto& q, auto& r) { calls.GetConfig(call, q, r); });
  methods.Later<v1::DiffConfigRequest, v1::DiffConfigResponse>(
      RowOf("OperationService/DiffConfig"),
      [&calls](auto& call, auto& q, auto& r) { calls.DiffConfig(call, q, r); });
}

// One whose body may park, as `(calls.*body)(who, request)`.
template <typename Request, typename Response, typename Calls>
void AddParking(Methods& methods, const MethodRow& row, Calls& calls,
                absl::StatusOr<Response> (Calls::*body)(const tenancy::Principal&,
                                                        const Request&)) {
  methods.Later<Request, Response>(row, [&calls, body](auto& call, auto& q, auto& r) {
    // The call, and with it who asks, lives as long as the fiber.
    Answer("tenant-call", call, r,
           [&calls, body, call, q] { return (calls.*body)(call->principal(), q); });
  });
}

// And one that answers at once.
template <typename Request, typename Response, typename Calls>
void AddReading(Methods& methods, const MethodRow& row, const Calls& calls,
                absl::StatusOr<Response> (Calls::*body)(const tenancy::Principal&, const Request&)
                    const) {
  methods.Later<Request, Response>(row, [&calls, body](auto& call, auto& q, auto& r) {
    call->Finish(Take((calls.*body)(call->principal(), q), r));
  });
}

void AddLimitMethods(Methods& methods, LimitCalls& limits) {
  AddReading(methods, RowOf("TenantService/ListLimits"), limits, &LimitCalls::List);
  AddParking(methods, RowOf("TenantService/SetLimit"), limits, &LimitCalls::Set);
  AddParking(methods, RowOf("TenantService/DeleteLimit"), limits, &LimitCalls::Delete);
}

void AddTenantMethods(Methods& methods, TenantCalls& tenants, TokenCalls& tokens) {
  AddParking(methods, RowOf("TenantService/CreateTenant"), tenants, &TenantCalls::Create);
  AddReading(methods, RowOf("TenantService/GetTenant"), tenants, &TenantCalls::Get);
  AddReading(methods, RowOf("TenantService/ListTenants"), tenants, &TenantCalls::List);
  AddParking(methods, RowOf("TenantService/UpdateTenant"), tenants, &TenantCalls::Update);
  AddParking(methods, RowOf("TenantService/DeleteTenant"), tenants, &TenantCalls::Delete);
  AddParking(methods, RowOf("TenantService/CreateToken"), tokens, &TokenCalls::Create);
  AddReading(methods, RowOf("TenantService/GetToken"), tokens, &TokenCalls::Get);
  AddReading(methods, RowOf("TenantService/ListTokens"), tokens, &TokenCalls::List);
  AddParking(methods, RowOf("TenantService/RotateToken"), tokens, &TokenCalls::Rotate);
  AddParking(methods, RowOf("TenantService/RevokeToken"), tokens, &TokenCalls::Revoke);
}

void AddScheduleMethods(Methods& methods, ScheduleCalls& calls) {
  AddParking(methods, RowOf("ScheduleService/CreateSchedule"), calls, &ScheduleCalls::Create);
  AddReading(methods, RowOf("ScheduleService/GetSchedule"), calls, &ScheduleCalls::Get);
  AddReading(methods, RowOf("ScheduleService/ListSchedules"), calls, &ScheduleCalls::List);
  AddParking(methods, RowOf("ScheduleService/UpdateSchedule"), calls, &ScheduleCalls::Update);
  AddParking(methods, RowOf("ScheduleService/DeleteSchedule"), calls, &ScheduleCalls::Delete);
  AddParking(methods, RowOf("ScheduleService/PauseSchedule"), calls, &ScheduleCalls::Pause);
  AddParking(methods, RowOf("ScheduleService/ResumeSchedule"), calls, &ScheduleCalls::Resume);
  AddParking(methods, RowOf("ScheduleService/RunSchedule"), calls, &ScheduleCalls::Run);
}

void AddPayloadMethods(Methods& methods, PayloadCalls& calls) {
  AddReading(methods, RowOf("PayloadService/GetPayload"), calls, &PayloadCalls::Get);
  AddReading(methods, RowOf("PayloadService/ListPayloads"), calls, &PayloadCalls::List);
  AddParking(methods, RowOf("PayloadService/DeletePayload"), calls, &PayloadCalls::Delete);
}

}  // namespace

void AddUnaryMethods(const GrpcContext& grpc, const GrpcHandlers& handlers, RawService& service) {
  Methods methods(grpc, service);
  const tasks::TaskEngine& engine = handlers.driver.engine();
  AddTaskMethods(methods, handlers.tasks);
  AddFamilyMethods(methods, handlers.changes, handlers.tasks);
  AddChangeMethods(methods, handlers.changes);
  AddQueueMethods(methods, handlers.driver, handlers.changes);
  AddPoolMethods(methods, handlers.driver);
  AddFairnessMethods(methods, handlers.driver);
  AddWorkerMethods(methods, handlers.workers);
  AddParking(methods, RowOf("WorkerService/InjectHttpRequest"), handlers.injections,
             &InjectCalls::Inject);
  AddInspectMethods(methods, handlers.workers, engine);
  AddOperationMethods(methods, handlers.operations);
  AddTenantMethods(methods, handlers.tenants, handlers.tokens);
  AddLimitMethods(methods, handlers.limits);
  AddScheduleMethods(methods, handlers.schedules);
  AddPayloadMethods(methods, handlers.payloads);
}

}  // namespace grove::control
