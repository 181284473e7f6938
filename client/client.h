// Client: calls a Grove daemon's control plane.
//
// One typed method per call of the public API; lists follow their page tokens. Errors are
// absl::Status with gRPC's code and message, and the server's google.rpc details as payloads
// (client/status_details.h reads them). Sends every request once: repeating what gRPC did not is
// the caller's decision (a request_id makes it safe). Connects on the first call. Any thread may
// call any method.

#ifndef GROVE_CLIENT_CLIENT_H_
#define GROVE_CLIENT_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/backdoor_session.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/task_service.pb.h"
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
  absl::StatusOr<v1::Task> Spawn(const v1::SpawnTaskRequest& request);
  absl::StatusOr<v1::BatchSpawnTasksResponse> SpawnBatch(const v1::BatchSpawnTasksRequest& request);
  absl::StatusOr<v1::Task> Get(std::string_view name);
  // Returns when the task has ended, or with the task as it is once `timeout` (which may be
  // infinite) is over.
  absl::StatusOr<v1::Task> Wait(std::string_view name, absl::Duration timeout);
  // The same for up to 10,000 tasks; results stand in the order of `names`.
  absl::StatusOr<v1::BatchWaitTasksResponse> WaitBatch(const std::vector<std::string>& names,
                                                       absl::Duration timeout);
  absl::StatusOr<v1::Task> Cancel(std::string_view name, std::string_view reason);

  // Lists gather pages from `request.page_token` on, until `limit` items or the end;
  // next_page_token is set if there is more. A page_size of 0 leaves the size of the pages to the
  // server.
  absl::StatusOr<v1::ListTasksResponse> ListTasks(v1::ListTasksRequest request, int64_t limit);
  absl::StatusOr<v1::ListQueuesResponse> ListQueues(v1::ListQueuesRequest request, int64_t limit);
  absl::StatusOr<v1::ListPoolsResponse> ListPools(v1::ListPoolsRequest request, int64_t limit);
  absl::StatusOr<v1::ListWorkersResponse> ListWorkers(v1::ListWorkersRequest request,
                                                      int64_t limit);
  absl::StatusOr<v1::ListFibersResponse> ListFibers(v1::ListFibersRequest request, int64_t limit);
  // "workers/0/fibers/17", with its stack.
  absl::StatusOr<v1::Fiber> GetFiber(std::string_view name);
  absl::StatusOr<v1::ListFunctionsResponse> ListFunctions(v1::ListFunctionsRequest request,
                                                          int64_t limit);

  absl::StatusOr<v1::Queue> GetQueue(std::string_view name);
  absl::StatusOr<v1::Pool> GetPool(std::string_view name);
  absl::StatusOr<v1::Pool> ResizePool(std::string_view name, int64_t size);

  // A terminal into `worker` ("workers/0"). Not bound by ClientOptions::timeout. The session
  // outlives the client. Errors of opening it (no such worker) come from the session's Receive.
  std::unique_ptr<BackdoorSession> OpenBackdoor(std::string_view worker);

 private:
  struct Stubs;
  explicit Client(std::unique_ptr<Stubs> stubs);

  const std::unique_ptr<Stubs> stubs_;
};

// Whether a task in `state` will not change any more.
bool HasEnded(v1::TaskState state);

}  // namespace grove::client

#endif  // GROVE_CLIENT_CLIENT_H_
