#include "server/control/grpc_services.h"

#include <utility>

#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "grove/v1/worker_service.pb.h"

namespace grove::control {
namespace {

// Methods that hand their calls to the hub.
class Methods {
 public:
  Methods(const GrpcContext& grpc, RawService& service) : grpc_(grpc), service_(service) {}

  // A body that may finish the call later.
  template <typename Request, typename Response, typename Body>
  void Later(Method method, Body body) {
    service_.AddUnary(RowOf(method).method, [grpc = grpc_, method, body](
                                                RawService::Context* context,
                                                const grpc::ByteBuffer* request,
                                                grpc::ByteBuffer* response) {
      return UnaryCall<Request, Response>::Start(grpc, method, context, request, response, body);
    });
  }

  // A body that returns the call's status.
  template <typename Request, typename Response, typename Body>
  void AtOnce(Method method, Body body) {
    Later<Request, Response>(
        method, [body](const CallPtr& call, const Request& request, Response& response) {
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
      Method::kSpawnTask, [&calls](auto& call, auto& q, auto& r) { calls.Spawn(call, q, r); });
  methods.Later<v1::BatchSpawnTasksRequest, v1::BatchSpawnTasksResponse>(
      Method::kBatchSpawnTasks,
      [&calls](auto& call, auto& q, auto& r) { calls.BatchSpawn(call, q, r); });
  methods.Later<v1::GetTaskRequest, v1::GetTaskResponse>(
      Method::kGetTask, [&calls](auto& call, auto& q, auto& r) { calls.Get(call, q, r); });
  methods.Later<v1::WaitTaskRequest, v1::WaitTaskResponse>(
      Method::kWaitTask, [&calls](auto& call, auto& q, auto& r) { calls.Wait(call, q, r); });
  methods.Later<v1::BatchWaitTasksRequest, v1::BatchWaitTasksResponse>(
      Method::kBatchWaitTasks,
      [&calls](auto& call, auto& q, auto& r) { calls.BatchWait(call, q, r); });
  methods.Later<v1::ListTasksRequest, v1::ListTasksResponse>(
      Method::kListTasks, [&calls](auto& call, auto& q, auto& r) { calls.List(call, q, r); });
  methods.AtOnce<v1::CancelTaskRequest, v1::CancelTaskResponse>(
      Method::kCancelTask, [&calls](auto& q, auto& r) { return calls.Cancel(q, r); });
}

void AddQueueMethods(Methods& methods, const EngineDriver& driver) {
  methods.AtOnce<v1::ListQueuesRequest, v1::ListQueuesResponse>(
      Method::kListQueues,
      [&driver](auto& q, auto& r) { return Take(driver.engine().ListQueues(q, driver.Now()), r); });
  methods.AtOnce<v1::GetQueueRequest, v1::GetQueueResponse>(
      Method::kGetQueue, [&driver](auto& q, auto& r) {
        return Take(driver.engine().GetQueue(q.name(), driver.Now()), *r.mutable_queue());
      });
}

void AddPoolMethods(Methods& methods, EngineDriver& driver) {
  methods.AtOnce<v1::ListPoolsRequest, v1::ListPoolsResponse>(
      Method::kListPools,
      [&driver](auto& q, auto& r) { return Take(driver.engine().ListPools(q), r); });
  methods.AtOnce<v1::GetPoolRequest, v1::GetPoolResponse>(
      Method::kGetPool, [&driver](auto& q, auto& r) {
        return Take(driver.engine().GetPool(q.name()), *r.mutable_pool());
      });
  methods.AtOnce<v1::ResizePoolRequest, v1::ResizePoolResponse>(
      Method::kResizePool, [&driver](auto& q, auto& r) -> absl::Status {
        absl::Status resized = driver.ResizePool(q.name(), q.size());
        if (!resized.ok()) return resized;
        return Take(driver.engine().GetPool(q.name()), *r.mutable_pool());
      });
}

void AddWorkerMethods(Methods& methods, const WorkerCalls& calls) {
  methods.AtOnce<v1::ListWorkersRequest, v1::ListWorkersResponse>(
      Method::kListWorkers, [&calls](auto& q, auto& r) { return calls.ListWorkers(q, r); });
}

void AddInspectMethods(Methods& methods, const WorkerCalls& calls,
                       const tasks::TaskEngine& engine) {
  methods.Later<v1::ListFibersRequest, v1::ListFibersResponse>(
      Method::kListFibers,
      [&calls](auto& call, auto& q, auto& r) { calls.ListFibers(call, q, r); });
  methods.Later<v1::GetFiberRequest, v1::Fiber>(
      Method::kGetFiber, [&calls](auto& call, auto& q, auto& r) { calls.GetFiber(call, q, r); });
  methods.AtOnce<v1::ListFunctionsRequest, v1::ListFunctionsResponse>(
      Method::kListFunctions,
      [&engine](auto& q, auto& r) { return Take(engine.ListFunctions(q), r); });
}

// One that the supervisor carries out: `field` sets what the request to it asks for.
template <typename Request, typename Field>
void AddOperation(Methods& methods, Method method, OperationCalls& calls, Field field) {
  methods.Later<Request, v1::Operation>(method, [&calls, field](auto& call, auto& q, auto& r) {
    internal::v1::OperationRequest request;
    *(request.*field)() = q;
    calls.Begin(call, std::move(request), r);
  });
}

void AddOperationMethods(Methods& methods, OperationCalls& calls) {
  using Asked = internal::v1::OperationRequest;
  AddOperation<v1::ScaleWorkersRequest>(methods, Method::kScaleWorkers, calls,
                                        &Asked::mutable_scale);
  AddOperation<v1::RestartWorkersRequest>(methods, Method::kRestartWorkers, calls,
                                          &Asked::mutable_restart);
  AddOperation<v1::DrainRequest>(methods, Method::kDrain, calls, &Asked::mutable_drain);
  AddOperation<v1::ReloadRequest>(methods, Method::kReload, calls, &Asked::mutable_reload);
  AddOperation<v1::UpgradeRequest>(methods, Method::kUpgrade, calls, &Asked::mutable_upgrade);
  AddOperation<v1::SetLogLevelRequest>(methods, Method::kSetLogLevel, calls,
                                       &Asked::mutable_set_log_level);
  methods.Later<v1::GetOperationRequest, v1::Operation>(
      Method::kGetOperation, [&calls](auto& call, auto& q, auto& r) { calls.Get(call, q, r); });
  methods.Later<v1::ListOperationsRequest, v1::ListOperationsResponse>(
      Method::kListOperations, [&calls](auto& call, auto& q, auto& r) { calls.List(call, q, r); });
  methods.Later<v1::GetConfigRequest, v1::GetConfigResponse>(
      Method::kGetConfig, [&calls](auto& call, auto& q, auto& r) { calls.GetConfig(call, q, r); });
  methods.Later<v1::DiffConfigRequest, v1::DiffConfigResponse>(
      Method::kDiffConfig,
      [&calls](auto& call, auto& q, auto& r) { calls.DiffConfig(call, q, r); });
}

}  // namespace

void AddUnaryMethods(const GrpcContext& grpc, const GrpcHandlers& handlers, RawService& service) {
  Methods methods(grpc, service);
  const tasks::TaskEngine& engine = handlers.driver.engine();
  AddTaskMethods(methods, handlers.tasks);
  AddQueueMethods(methods, handlers.driver);
  AddPoolMethods(methods, handlers.driver);
  AddWorkerMethods(methods, handlers.workers);
  AddInspectMethods(methods, handlers.workers, engine);
  AddOperationMethods(methods, handlers.operations);
}

}  // namespace grove::control
