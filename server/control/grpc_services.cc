#include "server/control/grpc_services.h"

#include <utility>

#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/pool_service.grpc.pb.h"
#include "grove/v1/queue_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "grove/v1/worker_service.grpc.pb.h"

namespace grove::control {
namespace {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

// A body that may finish the call later.
template <typename Request, typename Response, typename Body>
Reactor* Later(const GrpcContext& grpc, Method method, Context* context, const Request* request,
               Response* response, Body body) {
  return UnaryCall<Request, Response>::Start(grpc, method, context, request, response,
                                             std::move(body));
}

// A body that returns the call's status.
template <typename Request, typename Response, typename Body>
Reactor* AtOnce(const GrpcContext& grpc, Method method, Context* context, const Request* request,
                Response* response, Body body) {
  return Later(grpc, method, context, request, response,
               [body = std::move(body)](const CallPtr& call, const Request& request,
                                        Response& response) mutable {
                 call->Finish(body(request, response));
               });
}

// Moves a result into the response, or its field `target`.
template <typename T>
absl::Status Take(absl::StatusOr<T> result, T& target) {
  if (!result.ok()) return result.status();
  target = *std::move(result);
  return absl::OkStatus();
}

class TaskServiceImpl final : public v1::TaskService::CallbackService {
 public:
  TaskServiceImpl(const GrpcContext& grpc, TaskCalls& calls) : grpc_(grpc), calls_(calls) {}

  Reactor* SpawnTask(Context* context, const v1::SpawnTaskRequest* request,
                     v1::SpawnTaskResponse* response) override {
    return Later(grpc_, Method::kSpawnTask, context, request, response,
                 [this](auto& call, auto& q, auto& r) { calls_.Spawn(call, q, r); });
  }
  Reactor* BatchSpawnTasks(Context* context, const v1::BatchSpawnTasksRequest* request,
                           v1::BatchSpawnTasksResponse* response) override {
    return Later(grpc_, Method::kBatchSpawnTasks, context, request, response,
                 [this](auto& call, auto& q, auto& r) { calls_.BatchSpawn(call, q, r); });
  }
  Reactor* GetTask(Context* context, const v1::GetTaskRequest* request,
                   v1::GetTaskResponse* response) override {
    return AtOnce(grpc_, Method::kGetTask, context, request, response,
                  [this](auto& q, auto& r) { return calls_.Get(q, r); });
  }
  Reactor* WaitTask(Context* context, const v1::WaitTaskRequest* request,
                    v1::WaitTaskResponse* response) override {
    return Later(grpc_, Method::kWaitTask, context, request, response,
                 [this](auto& call, auto& q, auto& r) { calls_.Wait(call, q, r); });
  }
  Reactor* BatchWaitTasks(Context* context, const v1::BatchWaitTasksRequest* request,
                          v1::BatchWaitTasksResponse* response) override {
    return Later(grpc_, Method::kBatchWaitTasks, context, request, response,
                 [this](auto& call, auto& q, auto& r) { calls_.BatchWait(call, q, r); });
  }
  Reactor* ListTasks(Context* context, const v1::ListTasksRequest* request,
                     v1::ListTasksResponse* response) override {
    return AtOnce(grpc_, Method::kListTasks, context, request, response,
                  [this](auto& q, auto& r) { return calls_.List(q, r); });
  }
  Reactor* CancelTask(Context* context, const v1::CancelTaskRequest* request,
                      v1::CancelTaskResponse* response) override {
    return AtOnce(grpc_, Method::kCancelTask, context, request, response,
                  [this](auto& q, auto& r) { return calls_.Cancel(q, r); });
  }

 private:
  const GrpcContext grpc_;
  TaskCalls& calls_;
};

class QueueServiceImpl final : public v1::QueueService::CallbackService {
 public:
  QueueServiceImpl(const GrpcContext& grpc, const tasks::TaskEngine& engine)
      : grpc_(grpc), engine_(engine) {}

  Reactor* ListQueues(Context* context, const v1::ListQueuesRequest* request,
                      v1::ListQueuesResponse* response) override {
    return AtOnce(grpc_, Method::kListQueues, context, request, response,
                  [this](auto& q, auto& r) { return Take(engine_.ListQueues(q, WallNow()), r); });
  }
  Reactor* GetQueue(Context* context, const v1::GetQueueRequest* request,
                    v1::GetQueueResponse* response) override {
    return AtOnce(grpc_, Method::kGetQueue, context, request, response, [this](auto& q, auto& r) {
      return Take(engine_.GetQueue(q.name(), WallNow()), *r.mutable_queue());
    });
  }

 private:
  const GrpcContext grpc_;
  const tasks::TaskEngine& engine_;
};

class PoolServiceImpl final : public v1::PoolService::CallbackService {
 public:
  PoolServiceImpl(const GrpcContext& grpc, EngineDriver& driver) : grpc_(grpc), driver_(driver) {}

  Reactor* ListPools(Context* context, const v1::ListPoolsRequest* request,
                     v1::ListPoolsResponse* response) override {
    return AtOnce(grpc_, Method::kListPools, context, request, response,
                  [this](auto& q, auto& r) { return Take(driver_.engine().ListPools(q), r); });
  }
  Reactor* GetPool(Context* context, const v1::GetPoolRequest* request,
                   v1::GetPoolResponse* response) override {
    return AtOnce(grpc_, Method::kGetPool, context, request, response, [this](auto& q, auto& r) {
      return Take(driver_.engine().GetPool(q.name()), *r.mutable_pool());
    });
  }
  Reactor* ResizePool(Context* context, const v1::ResizePoolRequest* request,
                      v1::ResizePoolResponse* response) override {
    return AtOnce(grpc_, Method::kResizePool, context, request, response,
                  [this](auto& q, auto& r) -> absl::Status {
                    absl::Status resized = driver_.ResizePool(q.name(), q.size());
                    if (!resized.ok()) return resized;
                    return Take(driver_.engine().GetPool(q.name()), *r.mutable_pool());
                  });
  }

 private:
  const GrpcContext grpc_;
  EngineDriver& driver_;
};

class WorkerServiceImpl final : public v1::WorkerService::CallbackService {
 public:
  WorkerServiceImpl(const GrpcContext& grpc, const WorkerCalls& calls)
      : grpc_(grpc), calls_(calls) {}

  Reactor* ListWorkers(Context* context, const v1::ListWorkersRequest* request,
                       v1::ListWorkersResponse* response) override {
    return AtOnce(grpc_, Method::kListWorkers, context, request, response,
                  [this](auto& q, auto& r) { return calls_.ListWorkers(q, r); });
  }

 private:
  const GrpcContext grpc_;
  const WorkerCalls& calls_;
};

class InspectServiceImpl final : public v1::InspectService::CallbackService {
 public:
  InspectServiceImpl(const GrpcContext& grpc, const WorkerCalls& calls,
                     const tasks::TaskEngine& engine)
      : grpc_(grpc), calls_(calls), engine_(engine) {}

  Reactor* ListFibers(Context* context, const v1::ListFibersRequest* request,
                      v1::ListFibersResponse* response) override {
    return Later(grpc_, Method::kListFibers, context, request, response,
                 [this](auto& call, auto& q, auto& r) { calls_.ListFibers(call, q, r); });
  }
  Reactor* GetFiber(Context* context, const v1::GetFiberRequest* request,
                    v1::Fiber* response) override {
    return Later(grpc_, Method::kGetFiber, context, request, response,
                 [this](auto& call, auto& q, auto& r) { calls_.GetFiber(call, q, r); });
  }
  Reactor* ListFunctions(Context* context, const v1::ListFunctionsRequest* request,
                         v1::ListFunctionsResponse* response) override {
    return AtOnce(grpc_, Method::kListFunctions, context, request, response,
                  [this](auto& q, auto& r) { return Take(engine_.ListFunctions(q), r); });
  }

 private:
  const GrpcContext grpc_;
  const WorkerCalls& calls_;
  const tasks::TaskEngine& engine_;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> MakeUnaryServices(const GrpcContext& grpc,
                                                              const GrpcHandlers& handlers) {
  const tasks::TaskEngine& engine = handlers.driver.engine();
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<TaskServiceImpl>(grpc, handlers.tasks));
  services.push_back(std::make_unique<QueueServiceImpl>(grpc, engine));
  services.push_back(std::make_unique<PoolServiceImpl>(grpc, handlers.driver));
  services.push_back(std::make_unique<WorkerServiceImpl>(grpc, handlers.workers));
  services.push_back(std::make_unique<InspectServiceImpl>(grpc, handlers.workers, engine));
  return services;
}

}  // namespace grove::control
