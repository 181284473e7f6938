// Client: calls a Grove daemon's control plane.
//
// One typed method per call of the public API; lists follow their page tokens. Errors are
// absl::Status with gRPC's code and message, and the server's google.rpc details as payloads
// (client/status_details.h reads them). Calls that may be made twice, since they change nothing or
// have a request_id for each task, are made again for a while where the server asks for it or the
// connection broke; all others once. Waits, watches and streams of spawns outlast a restart of the
// server. Connects on the first call. Any thread may call any method.

#ifndef GROVE_CLIENT_CLIENT_H_
#define GROVE_CLIENT_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/backdoor_session.h"
#include "client/payload_io.h"
#include "client/spawn_stream.h"
#include "client/stop.h"
#include "grove/v1/fairness_service.pb.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/schedule_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "grove/v1/tenant_service.pb.h"
#include "grove/v1/worker_service.pb.h"

namespace grove::client {

// Where a daemon listens for control calls unless told otherwise.
inline constexpr char kDefaultAddress[] = "127.0.0.1:8091";

struct ClientOptions {
  // "HOST:PORT", "[IPV6]:PORT" or "unix:PATH".
  std::string address = kDefaultAddress;
  // Sent as "authorization: Bearer TOKEN"; empty sends none.
  std::string token;
  // PEM file with the authorities that may sign the server's certificate. Empty: plain text.
  std::string ca_cert_file;
  // Bound on every single call, connecting included.
  absl::Duration timeout = absl::Seconds(30);
  // For so long, within `timeout`, calls that may be made twice are; zero: every call is made once.
  absl::Duration retry_for = absl::Seconds(10);
  // PEM files with the certificate (and its chain) that says who calls, and its key; both or none,
  // and not without ca_cert_file.
  std::string client_cert_file = {};
  std::string client_key_file = {};
};

struct WaitOptions {
  // How long to wait for the end.
  absl::Duration timeout = absl::InfiniteDuration();
  // What of the tasks is wanted.
  v1::TaskView view = v1::TASK_VIEW_OUTPUT;

  // At most this long between two looks at what has not ended: an unended task is shown to
  // `on_look` (by Wait), how many of all have ended is told to `on_count` (by WaitBatch).
  absl::Duration look_interval = absl::InfiniteDuration();
  std::function<void(const v1::Task&)> on_look = nullptr;
  std::function<void(size_t ended, size_t total)> on_count = nullptr;

  // A server that answered before and falls silent is asked again for this long, with pauses of
  // 100 ms to 2 s. One that never answered is not.
  absl::Duration outage_max = absl::Minutes(5);
  // Once for every outage: its first error, and the first answer after it.
  std::function<void(const absl::Status&)> on_outage = nullptr;
  std::function<void()> on_back = nullptr;

  // Ends the wait with CANCELLED; may be null.
  Stop* stop = nullptr;
};

class Client {
 public:
  // INVALID_ARGUMENT: a malformed address or token. NOT_FOUND and the like: the certificate file
  // cannot be read.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const ClientOptions& options);

  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Tasks.
  // Stopped ones may have been accepted all the same.
  absl::StatusOr<v1::Task> Spawn(const v1::SpawnTaskRequest& request, Stop* stop = nullptr);
  // The same, and whether the task was there before.
  absl::StatusOr<v1::SpawnTaskResponse> SpawnOrAttach(const v1::SpawnTaskRequest& request,
                                                      Stop* stop = nullptr);
  absl::StatusOr<v1::BatchSpawnTasksResponse> SpawnBatch(const v1::BatchSpawnTasksRequest& request,
                                                         Stop* stop = nullptr);
  // Up to 10,000 tasks, and `completion`, if there is one, which starts once all of them have
  // ended; not spawned if one is refused. Sent again where an answer is lost: nothing is spawned
  // twice.
  absl::StatusOr<v1::BatchSpawnTasksResponse> SpawnAll(
      std::string_view parent, std::vector<v1::TaskSpec> specs,
      std::optional<v1::TaskSpec> completion = std::nullopt, Stop* stop = nullptr);
  // As many as a program has, at the server's pace. The stream may outlive the client.
  std::unique_ptr<SpawnStream> OpenSpawnStream(const SpawnStreamOptions& options,
                                               SpawnStream::OnResult on_result);
  absl::StatusOr<v1::Task> Get(std::string_view name, v1::TaskView view = v1::TASK_VIEW_FULL);
  // Returns when the task has ended, or with the task as it is once the time is over. NOT_FOUND
  // after an outage says that the task may have been volatile.
  absl::StatusOr<v1::Task> Wait(std::string_view name, const WaitOptions& options);
  // The same for up to 10,000 tasks; results stand in the order of `names`.
  absl::StatusOr<v1::BatchWaitTasksResponse> WaitBatch(const std::vector<std::string>& names,
                                                       const WaitOptions& options);
  // Hands messages out until `on_message` returns false or the time is over, which are OK. After an
  // outage it goes on from the last resume token; of the options those for looks are not used.
  absl::Status WatchTasks(const v1::WatchTasksRequest& request, const WaitOptions& options,
                          const std::function<bool(const v1::WatchTasksResponse&)>& on_message);
  absl::Status WatchQueue(const v1::WatchQueueRequest& request, const WaitOptions& options,
                          const std::function<bool(const v1::WatchQueueResponse&)>& on_message);
  absl::StatusOr<v1::Task> Cancel(std::string_view name, std::string_view reason);
  // As the methods of TaskService say.
  absl::StatusOr<v1::Task> Cancel(const v1::CancelTaskRequest& request);
  absl::StatusOr<v1::Task> ForceCancel(const v1::ForceCancelTaskRequest& request);
  absl::StatusOr<v1::Task> ForceCancel(std::string_view name, std::string_view reason);
  absl::StatusOr<v1::Task> Pause(std::string_view name, std::string_view reason);
  absl::StatusOr<v1::Task> Resume(std::string_view name);
  absl::StatusOr<v1::Task> Retry(std::string_view name);
  // A new task from the spec of this one.
  absl::StatusOr<v1::Task> RetryAsNew(std::string_view name);
  absl::Status Delete(std::string_view name);
  absl::StatusOr<v1::Task> Update(const v1::UpdateTaskRequest& request);
  // Does it to all that a filter matches; `more` is set where the call's time was over before.
  absl::StatusOr<v1::BatchChangeTasksResponse> ChangeBatch(
      const v1::BatchChangeTasksRequest& request);
  absl::StatusOr<v1::CountTasksResponse> CountTasks(const v1::CountTasksRequest& request);
  absl::StatusOr<v1::ExplainTaskResponse> Explain(std::string_view name);

  // Lists gather pages from `request.page_token` on, until `limit` items or the end;
  // next_page_token is set if there is more. A page_size of 0 leaves the size of the pages to the
  // server.
  absl::StatusOr<v1::ListTasksResponse> ListTasks(v1::ListTasksRequest request, int64_t limit);
  absl::StatusOr<v1::ListQueuesResponse> ListQueues(v1::ListQueuesRequest request, int64_t limit);
  absl::StatusOr<v1::ListPoolsResponse> ListPools(v1::ListPoolsRequest request, int64_t limit);
  absl::StatusOr<v1::ListWorkersResponse> ListWorkers(v1::ListWorkersRequest request,
                                                      int64_t limit);
  absl::StatusOr<v1::InjectHttpRequestResponse> Inject(const v1::InjectHttpRequestRequest& request);
  absl::StatusOr<v1::ListFibersResponse> ListFibers(v1::ListFibersRequest request, int64_t limit);
  // "workers/0/fibers/17", with its stack.
  absl::StatusOr<v1::Fiber> GetFiber(std::string_view name);
  absl::StatusOr<v1::ListFunctionsResponse> ListFunctions(v1::ListFunctionsRequest request,
                                                          int64_t limit);
  // The daemon's figures are those of the last page.
  absl::StatusOr<v1::GetFairnessResponse> GetFairness(v1::GetFairnessRequest request,
                                                      int64_t limit);
  absl::StatusOr<v1::Queue> GetQueue(std::string_view name);
  absl::StatusOr<v1::Queue> PauseQueue(std::string_view name, std::string_view reason);
  absl::StatusOr<v1::Queue> ResumeQueue(std::string_view name);
  absl::StatusOr<v1::PurgeQueueResponse> PurgeQueue(const v1::PurgeQueueRequest& request);
  absl::StatusOr<v1::Pool> GetPool(std::string_view name);
  absl::StatusOr<v1::Pool> ResizePool(std::string_view name, int64_t size);

  // Operations: each of the first six begins one, which goes on after the call.
  absl::StatusOr<v1::Operation> ScaleWorkers(const v1::ScaleWorkersRequest& request);
  absl::StatusOr<v1::Operation> RestartWorkers(const v1::RestartWorkersRequest& request);
  absl::StatusOr<v1::Operation> Drain(v1::DrainRequest::Scope scope);
  absl::StatusOr<v1::Operation> Reload();
  absl::StatusOr<v1::Operation> Upgrade(std::string_view program);
  absl::StatusOr<v1::Operation> SetLogLevel(std::string_view level);
  absl::StatusOr<v1::Operation> GetOperation(std::string_view name);
  absl::StatusOr<v1::ListOperationsResponse> ListOperations(v1::ListOperationsRequest request,
                                                            int64_t limit);
  // Returns when it has ended, or as it is once the time is over; `on_state` is told its state at
  // once and each change. Of the options those for looks are not used.
  absl::StatusOr<v1::Operation> FollowOperation(
      std::string_view name, const WaitOptions& options,
      const std::function<void(const v1::Operation&)>& on_state);

  absl::StatusOr<v1::GetConfigResponse> GetConfig(const v1::GetConfigRequest& request);
  // Takes errors of any length.
  absl::StatusOr<v1::DiffConfigResponse> DiffConfig(v1::DiffConfigRequest request);

  // Tenants and their tokens.
  absl::StatusOr<v1::Tenant> CreateTenant(const v1::CreateTenantRequest& request);
  absl::StatusOr<v1::Tenant> GetTenant(std::string_view name);
  absl::StatusOr<v1::ListTenantsResponse> ListTenants(v1::ListTenantsRequest request,
                                                      int64_t limit);
  absl::StatusOr<v1::Tenant> UpdateTenant(const v1::UpdateTenantRequest& request);
  // It is gone once none of its tasks is left: then GetTenant is NOT_FOUND.
  absl::StatusOr<v1::DeleteTenantResponse> DeleteTenant(const v1::DeleteTenantRequest& request);
  // These two return the secret, which nobody can ask for again.
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const v1::CreateTokenRequest& request);
  absl::StatusOr<v1::RotateTokenResponse> RotateToken(const v1::RotateTokenRequest& request);
  absl::StatusOr<v1::Token> GetToken(std::string_view name);
  absl::StatusOr<v1::ListTokensResponse> ListTokens(v1::ListTokensRequest request, int64_t limit);
  absl::StatusOr<v1::Token> RevokeToken(std::string_view name, std::string_view reason);
  // All limits of a tenant, and at most `limit` keys.
  absl::StatusOr<v1::ListLimitsResponse> ListLimits(v1::ListLimitsRequest request, int64_t limit);
  absl::StatusOr<v1::Limit> SetLimit(const v1::SetLimitRequest& request);
  absl::Status DeleteLimit(const v1::DeleteLimitRequest& request);

  // Schedules, as the methods of ScheduleService say.
  absl::StatusOr<v1::Schedule> CreateSchedule(const v1::CreateScheduleRequest& request);
  absl::StatusOr<v1::Schedule> GetSchedule(std::string_view name);
  absl::StatusOr<v1::ListSchedulesResponse> ListSchedules(v1::ListSchedulesRequest request,
                                                          int64_t limit);
  absl::StatusOr<v1::Schedule> UpdateSchedule(const v1::UpdateScheduleRequest& request);
  absl::Status DeleteSchedule(std::string_view name, std::string_view etag = "");
  absl::StatusOr<v1::Schedule> PauseSchedule(std::string_view name, std::string_view reason);
  absl::StatusOr<v1::Schedule> ResumeSchedule(std::string_view name);
  absl::StatusOr<v1::Task> RunSchedule(std::string_view name, std::string_view request_id = "");

  // Payloads. Their bytes are not bound by ClientOptions::timeout.
  absl::StatusOr<v1::Payload> WritePayload(std::string_view parent, const v1::Payload& wanted,
                                           const PayloadSource& source, Stop* stop = nullptr);
  // From `offset` on, and on from where the connection broke.
  absl::Status ReadPayload(std::string_view name, int64_t offset, const PayloadSink& sink,
                           Stop* stop = nullptr);
  absl::StatusOr<v1::Payload> GetPayload(std::string_view name);
  absl::StatusOr<v1::ListPayloadsResponse> ListPayloads(v1::ListPayloadsRequest request,
                                                        int64_t limit);
  absl::Status DeletePayload(std::string_view name);

  // A terminal into `worker` ("workers/0"). Not bound by ClientOptions::timeout. The session
  // outlives the client. Errors of opening it (no such worker) come from the session's Receive.
  std::unique_ptr<BackdoorSession> OpenBackdoor(std::string_view worker);

 private:
  friend class SpawnStream;
  struct Stubs;
  explicit Client(std::shared_ptr<Stubs> stubs);

  absl::Status Greet(std::string_view name, Stop* stop);
  // One stream, until it ends or `slice` is over.
  absl::Status WatchOnce(std::string_view name, absl::Duration slice, Stop* stop,
                         const std::function<void(const v1::Operation&)>& on_state);

  // Shared with streams that outlive it.
  const std::shared_ptr<Stubs> stubs_;
};

// Whether one in `state` will not change any more.
bool HasEnded(v1::TaskState state);
bool HasEnded(v1::Operation::State state);

}  // namespace grove::client

#endif  // GROVE_CLIENT_CLIENT_H_
