#include "client/client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "client/channel.h"
#include "client/status_details.h"
#include "client/stubs.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client {
namespace {

// No other batch's, nor another run's of the same program.
std::string NewRequestId() {
  std::random_device random;
  return absl::StrFormat("batch-%08x%08x%08x", random(), random(), random());
}

}  // namespace

absl::Duration Monotonic() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

double DrawPart() {
  thread_local std::minstd_rand random{std::random_device()()};
  return std::uniform_real_distribution<double>()(random);
}

bool PauseFor(const Stop* stop, absl::Duration duration) {
  static const auto* const kNobody = new Stop();
  return (stop == nullptr ? kNobody : stop)->Pause(duration);
}

void AwaitConnection(grpc::Channel& channel, absl::Duration bound) {
  const gpr_timespec span = gpr_time_from_micros(absl::ToInt64Microseconds(bound), GPR_TIMESPAN);
  channel.WaitForConnected(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), span));
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status full;
  if (!full.ParseFromString(status.error_details())) full.Clear();
  full.set_code(status.error_code());
  full.set_message(status.error_message());
  return ToAbslStatus(full);
}

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

Client::Client(std::shared_ptr<Stubs> stubs) : stubs_(std::move(stubs)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  if (options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("timeout: must be positive");
  }
  auto channel = OpenChannel(options);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Client>(new Client(std::make_shared<Stubs>(options, *channel)));
}

absl::StatusOr<v1::Task> Client::Spawn(const v1::SpawnTaskRequest& request, Stop* stop) {
  auto response = SpawnOrAttach(request, stop);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_task());
}

absl::StatusOr<v1::SpawnTaskResponse> Client::SpawnOrAttach(const v1::SpawnTaskRequest& request,
                                                            Stop* stop) {
  const auto method = &v1::TaskService::Stub::SpawnTask;
  if (!request.spec().request_id().empty()) {
    return stubs_->CallAgain(stubs_->tasks, method, request, stop);
  }
  return stubs_->Call(stubs_->tasks, method, request, stubs_->timeout, stop);
}

absl::StatusOr<v1::BatchSpawnTasksResponse> Client::SpawnBatch(
    const v1::BatchSpawnTasksRequest& request, Stop* stop) {
  const auto method = &v1::TaskService::Stub::BatchSpawnTasks;
  const bool all_named =
      std::all_of(request.specs().begin(), request.specs().end(),
                  [](const v1::TaskSpec& spec) { return !spec.request_id().empty(); });
  const bool completion_named =
      !request.has_completion() || !request.completion().request_id().empty();
  const bool repeatable = !request.request_id().empty() || (all_named && completion_named);
  auto response = repeatable ? stubs_->CallAgain(stubs_->tasks, method, request, stop)
                             : stubs_->Call(stubs_->tasks, method, request, stubs_->timeout, stop);
  if (response.ok() && response->results_size() != request.specs_size()) {
    return absl::InternalError(StrCat("the server answered ", response->results_size(), " of ",
                                      request.specs_size(), " tasks of a batch"));
  }
  return response;
}

absl::StatusOr<v1::BatchSpawnTasksResponse> Client::SpawnAll(std::string_view parent,
                                                             std::vector<v1::TaskSpec> specs,
                                                             std::optional<v1::TaskSpec> completion,
                                                             Stop* stop) {
  v1::BatchSpawnTasksRequest request;
  request.set_parent(std::string(parent));
  request.set_request_id(NewRequestId());
  for (v1::TaskSpec& spec : specs) *request.add_specs() = std::move(spec);
  if (completion) *request.mutable_completion() = *std::move(completion);
  return SpawnBatch(request, stop);
}

absl::StatusOr<v1::Task> Client::Get(std::string_view name, v1::TaskView view) {
  v1::GetTaskRequest request;
  request.set_name(std::string(name));
  request.set_view(view);
  auto response = stubs_->CallAgain(stubs_->tasks, &v1::TaskService::Stub::GetTask, request);
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

// Waits for as long as the request lets the worker take, and a call more.
absl::StatusOr<v1::InjectHttpRequestResponse> Client::Inject(
    const v1::InjectHttpRequestRequest& request) {
  const absl::Duration in_worker =
      absl::Seconds(request.timeout().seconds()) + absl::Nanoseconds(request.timeout().nanos());
  return stubs_->Call(stubs_->workers, &v1::WorkerService::Stub::InjectHttpRequest, request,
                      stubs_->timeout + in_worker, nullptr);
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
  return stubs_->CallAgain(stubs_->inspect, &v1::InspectService::Stub::GetFiber, request);
}

absl::StatusOr<v1::ListFunctionsResponse> Client::ListFunctions(v1::ListFunctionsRequest request,
                                                                int64_t limit) {
  auto all = stubs_->Pages(
      stubs_->inspect, &v1::InspectService::Stub::ListFunctions, std::move(request), limit,
      [](v1::ListFunctionsResponse& response) { return response.mutable_functions(); });
  if (all.ok()) KeepDistinctUnreachable(*all);
  return all;
}

absl::StatusOr<v1::GetFairnessResponse> Client::GetFairness(v1::GetFairnessRequest request,
                                                            int64_t limit) {
  return stubs_->Pages(stubs_->fairness, &v1::FairnessService::Stub::GetFairness,
                       std::move(request), limit,
                       [](v1::GetFairnessResponse& response) { return response.mutable_shares(); });
}

absl::StatusOr<v1::Queue> Client::GetQueue(std::string_view name) {
  v1::GetQueueRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->CallAgain(stubs_->queues, &v1::QueueService::Stub::GetQueue, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_queue());
}

absl::StatusOr<v1::Pool> Client::GetPool(std::string_view name) {
  v1::GetPoolRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->CallAgain(stubs_->pools, &v1::PoolService::Stub::GetPool, request);
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
