#include "client/client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "client/channel.h"
#include "client/status_details.h"
#include "grove/v1/backdoor_service.grpc.pb.h"
#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/pool_service.grpc.pb.h"
#include "grove/v1/queue_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "grove/v1/worker_service.grpc.pb.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client {
namespace {

// A wait asks anew this often, so that a connection that died without a sound is noticed.
constexpr absl::Duration kWaitSlice = absl::Seconds(60);

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status full;
  if (!full.ParseFromString(status.error_details())) full.Clear();
  full.set_code(status.error_code());
  full.set_message(status.error_message());
  return ToAbslStatus(full);
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration result;
  result.set_seconds(absl::ToInt64Seconds(duration));
  const absl::Duration rest = duration - absl::Seconds(result.seconds());
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return result;
}

// The server's own wait ends first; a slice of 0 would mean "as long as you like".
absl::Duration NextSlice(absl::Time end) {
  return std::clamp(end - absl::Now(), absl::Milliseconds(1), kWaitSlice);
}

bool IsOpen(const v1::BatchWaitTasksResponse::Result& result) {
  if (result.has_error()) return false;
  return !result.has_task() || !HasEnded(result.task().state());
}

}  // namespace

bool HasEnded(v1::TaskState state) {
  switch (state) {
    case v1::TASK_STATE_SUCCEEDED:
    case v1::TASK_STATE_FAILED:
    case v1::TASK_STATE_CANCELLED:
    case v1::TASK_STATE_TIMED_OUT:
      return true;
    default:
      return false;
  }
}

template <typename Stub, typename Request, typename Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

struct Client::Stubs {
  Stubs(const ClientOptions& options, const std::shared_ptr<grpc::Channel>& channel)
      : token(options.token),
        timeout(options.timeout),
        tasks(channel),
        queues(channel),
        pools(channel),
        workers(channel),
        inspect(channel),
        backdoor(channel) {}

  void Authorize(grpc::ClientContext& context) const {
    if (!token.empty()) context.AddMetadata("authorization", StrCat("Bearer ", token));
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub, Method<Stub, Request, Response> method,
                                const Request& request, absl::Duration deadline) const {
    grpc::ClientContext context;
    Authorize(context);
    if (deadline < absl::InfiniteDuration()) {
      context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(deadline));
    }
    Response response;
    absl::Status status = FromGrpc((stub.*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub, Method<Stub, Request, Response> method,
                                const Request& request) const {
    return Call(stub, method, request, timeout);
  }

  // `items` names the repeated field of a response.
  template <typename Stub, typename Request, typename Response, typename Items>
  absl::StatusOr<Response> Pages(Stub& stub, Method<Stub, Request, Response> method,
                                 Request request, int64_t limit, Items items) const {
    Response all;
    while (true) {
      const int64_t room = limit - items(all)->size();
      if (request.page_size() == 0 || request.page_size() > room) {
        request.set_page_size(static_cast<int32_t>(std::clamp<int64_t>(room, 1, kPageSizeMax)));
      }
      absl::StatusOr<Response> page = Call(stub, method, request);
      if (!page.ok()) return page.status();
      const std::string next = page->next_page_token();
      all.MergeFrom(*page);
      all.set_next_page_token(next);
      if (next.empty() || items(all)->size() >= limit) return all;
      if (next == request.page_token()) {
        return absl::InternalError("the server sent the same page token twice");
      }
      request.set_page_token(next);
    }
  }

  // What every list of the API accepts.
  static constexpr int64_t kPageSizeMax = 1000;

  const std::string token;
  const absl::Duration timeout;
  v1::TaskService::Stub tasks;
  v1::QueueService::Stub queues;
  v1::PoolService::Stub pools;
  v1::WorkerService::Stub workers;
  v1::InspectService::Stub inspect;
  v1::BackdoorService::Stub backdoor;
};

Client::Client(std::unique_ptr<Stubs> stubs) : stubs_(std::move(stubs)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  if (options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("timeout: must be positive");
  }
  auto channel = OpenChannel(options);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Client>(new Client(std::make_unique<Stubs>(options, *channel)));
}

absl::StatusOr<v1::Task> Client::Spawn(const v1::SpawnTaskRequest& request) {
  auto response = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::SpawnTask, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_task());
}

absl::StatusOr<v1::BatchSpawnTasksResponse> Client::SpawnBatch(
    const v1::BatchSpawnTasksRequest& request) {
  auto response = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::BatchSpawnTasks, request);
  if (response.ok() && response->results_size() != request.specs_size()) {
    return absl::InternalError(StrCat("the server answered ", response->results_size(), " of ",
                                      request.specs_size(), " tasks of a batch"));
  }
  return response;
}

absl::StatusOr<v1::Task> Client::Get(std::string_view name) {
  v1::GetTaskRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::GetTask, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_task());
}

absl::StatusOr<v1::Task> Client::Wait(std::string_view name, absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  v1::WaitTaskRequest request;
  request.set_name(std::string(name));
  while (true) {
    const absl::Duration slice = NextSlice(end);
    *request.mutable_timeout() = ToProto(slice);
    auto response = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::WaitTask, request,
                                 slice + stubs_->timeout);
    if (!response.ok()) return response.status();
    if (HasEnded(response->task().state()) || absl::Now() >= end) {
      return std::move(*response->mutable_task());
    }
  }
}

absl::StatusOr<v1::BatchWaitTasksResponse> Client::WaitBatch(const std::vector<std::string>& names,
                                                             absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  v1::BatchWaitTasksResponse all;
  for (size_t i = 0; i < names.size(); ++i) all.add_results();
  std::vector<int> open(names.size());
  for (size_t i = 0; i < open.size(); ++i) open[i] = static_cast<int>(i);
  while (!open.empty()) {
    const absl::Duration slice = NextSlice(end);
    v1::BatchWaitTasksRequest request;
    *request.mutable_timeout() = ToProto(slice);
    for (const int index : open) request.add_names(names[index]);
    auto response = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::BatchWaitTasks, request,
                                 slice + stubs_->timeout);
    if (!response.ok()) return response.status();
    if (response->results_size() != request.names_size()) {
      return absl::InternalError("the server did not answer for every task of a batch");
    }
    std::vector<int> still_open;
    for (size_t i = 0; i < open.size(); ++i) {
      auto& result = *response->mutable_results(static_cast<int>(i));
      if (IsOpen(result)) still_open.push_back(open[i]);
      all.mutable_results(open[i])->Swap(&result);
    }
    open = std::move(still_open);
    if (absl::Now() >= end) break;
  }
  return all;
}

absl::StatusOr<v1::Task> Client::Cancel(std::string_view name, std::string_view reason) {
  v1::CancelTaskRequest request;
  request.set_name(std::string(name));
  request.set_reason(std::string(reason));
  auto response = stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::CancelTask, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_task());
}

absl::StatusOr<v1::ListTasksResponse> Client::ListTasks(v1::ListTasksRequest request,
                                                        int64_t limit) {
  return stubs_->Pages(stubs_->tasks, &v1::TaskService::Stub::ListTasks, std::move(request), limit,
                       [](v1::ListTasksResponse& response) { return response.mutable_tasks(); });
}

absl::StatusOr<v1::ListQueuesResponse> Client::ListQueues(v1::ListQueuesRequest request,
                                                          int64_t limit) {
  return stubs_->Pages(stubs_->queues, &v1::QueueService::Stub::ListQueues, std::move(request),
                       limit,
                       [](v1::ListQueuesResponse& response) { return response.mutable_queues(); });
}

absl::StatusOr<v1::ListPoolsResponse> Client::ListPools(v1::ListPoolsRequest request,
                                                        int64_t limit) {
  return stubs_->Pages(stubs_->pools, &v1::PoolService::Stub::ListPools, std::move(request), limit,
                       [](v1::ListPoolsResponse& response) { return response.mutable_pools(); });
}

absl::StatusOr<v1::ListWorkersResponse> Client::ListWorkers(v1::ListWorkersRequest request,
                                                            int64_t limit) {
  return stubs_->Pages(
      stubs_->workers, &v1::WorkerService::Stub::ListWorkers, std::move(request), limit,
      [](v1::ListWorkersResponse& response) { return response.mutable_workers(); });
}

namespace {

// Every page names the silent workers again.
template <typename Response>
void KeepDistinctUnreachable(Response& response) {
  const std::set<std::string> distinct(response.unreachable().begin(),
                                       response.unreachable().end());
  response.mutable_unreachable()->Assign(distinct.begin(), distinct.end());
}

}  // namespace

absl::StatusOr<v1::ListFibersResponse> Client::ListFibers(v1::ListFibersRequest request,
                                                          int64_t limit) {
  auto all = stubs_->Pages(
      stubs_->inspect, &v1::InspectService::Stub::ListFibers, std::move(request), limit,
      [](v1::ListFibersResponse& response) { return response.mutable_fibers(); });
  if (all.ok()) KeepDistinctUnreachable(*all);
  return all;
}

absl::StatusOr<v1::Fiber> Client::GetFiber(std::string_view name) {
  v1::GetFiberRequest request;
  request.set_name(std::string(name));
  return stubs_->Call(stubs_->inspect, &v1::InspectService::Stub::GetFiber, request);
}

absl::StatusOr<v1::ListFunctionsResponse> Client::ListFunctions(v1::ListFunctionsRequest request,
                                                                int64_t limit) {
  auto all = stubs_->Pages(
      stubs_->inspect, &v1::InspectService::Stub::ListFunctions, std::move(request), limit,
      [](v1::ListFunctionsResponse& response) { return response.mutable_functions(); });
  if (all.ok()) KeepDistinctUnreachable(*all);
  return all;
}

absl::StatusOr<v1::Queue> Client::GetQueue(std::string_view name) {
  v1::GetQueueRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->Call(stubs_->queues, &v1::QueueService::Stub::GetQueue, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_queue());
}

absl::StatusOr<v1::Pool> Client::GetPool(std::string_view name) {
  v1::GetPoolRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->Call(stubs_->pools, &v1::PoolService::Stub::GetPool, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_pool());
}

absl::StatusOr<v1::Pool> Client::ResizePool(std::string_view name, int64_t size) {
  v1::ResizePoolRequest request;
  request.set_name(std::string(name));
  request.set_size(size);
  auto response = stubs_->Call(stubs_->pools, &v1::PoolService::Stub::ResizePool, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_pool());
}

struct BackdoorSession::Stream {
  using Calls = grpc::ClientReaderWriter<v1::OpenSessionRequest, v1::OpenSessionResponse>;
  grpc::ClientContext context;
  std::unique_ptr<Calls> calls;
};

BackdoorSession::BackdoorSession(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

BackdoorSession::~BackdoorSession() {
  stream_->context.TryCancel();
}

bool BackdoorSession::Send(std::string_view text) {
  v1::OpenSessionRequest request;
  request.set_input(std::string(text));
  return stream_->calls->Write(request);
}

void BackdoorSession::CloseInput() {
  stream_->calls->WritesDone();
}

absl::StatusOr<std::optional<std::string>> BackdoorSession::Receive() {
  v1::OpenSessionResponse response;
  if (stream_->calls->Read(&response)) {
    return std::optional<std::string>(std::move(*response.mutable_output()));
  }
  absl::Status status = FromGrpc(stream_->calls->Finish());
  if (!status.ok()) return status;
  return std::optional<std::string>();
}

void BackdoorSession::Cancel() {
  stream_->context.TryCancel();
}

std::unique_ptr<BackdoorSession> Client::OpenBackdoor(std::string_view worker) {
  auto stream = std::make_unique<BackdoorSession::Stream>();
  stubs_->Authorize(stream->context);
  stream->calls = stubs_->backdoor.OpenSession(&stream->context);
  v1::OpenSessionRequest request;
  request.set_worker(std::string(worker));
  stream->calls->Write(request);
  return std::unique_ptr<BackdoorSession>(new BackdoorSession(std::move(stream)));
}

}  // namespace grove::client
