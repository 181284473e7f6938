// GrpcServer: control's gRPC port, with every service behind it.
//
// Beside Grove's own services: health (per service too), reflection and channelz. The one module,
// with the services, that knows gRPC; gRPC runs its own threads.
#ifndef GROVE_SERVER_CONTROL_GRPC_SERVER_H_
#define GROVE_SERVER_CONTROL_GRPC_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/hub/hub.h"
#include "server/audit/audit_log.h"
#include "server/control/authorizer.h"
#include "server/control/change_calls.h"
#include "server/control/engine_driver.h"
#include "server/control/inject_calls.h"
#include "server/control/limit_calls.h"
#include "server/control/live_payloads.h"
#include "server/control/operation_calls.h"
#include "server/control/payload_calls.h"
#include "server/control/schedule_calls.h"
#include "server/control/task_calls.h"
#include "server/control/tenant_calls.h"
#include "server/control/token_calls.h"
#include "server/control/worker_calls.h"
#include "server/metrics/scoreboard.h"
#include "server/tenancy/token_book.h"

namespace grove::control {

// A batch of results; clients must raise their own limit, which is 4 MiB by default.
inline constexpr int kSendBytesMax = 256 << 20;
// Calls under way on one connection; waits are cheap, and a client may hold many.
inline constexpr int kStreamsPerConnectionMax = 10'000;
// Clients that wait for long may ping as often as this.
inline constexpr int kPingIntervalMinMs = 10'000;

// Descriptors of control beside its gRPC connections, and beside those that are counted by the
// config: its store, log, links and listeners, gRPC's pollers, and room to start with.
inline constexpr size_t kDescriptorsOfControl = 64;

// For metrics.
struct GrpcNumbers {
  int64_t connections_open = 0;
  // Closed at once, since there were control.connections_max.
  uint64_t connections_refused = 0;
  // Calls without a right token.
  uint64_t tokens_refused = 0;
  // For their turn on the hub.
  size_t calls_waiting = 0;
  // With CONTROL_BUSY.
  uint64_t calls_refused = 0;
};

class WorkerGateway;

class GrpcServer {
 public:
  // All but `config` must outlive it.
  struct Parts {
    const config::v1::Config& config;
    Hub& hub;
    const Authorizer& authorizer;
    const audit::AuditLog& audit;
    tenancy::TokenBook& tokens;
    EngineDriver& driver;
    TaskCalls& tasks;
    ChangeCalls& changes;
    const WorkerCalls& workers;
    InjectCalls& injections;
    OperationCalls& operations;
    TenantCalls& tenant_calls;
    TokenCalls& token_calls;
    LimitCalls& limit_calls;
    ScheduleCalls& schedules;
    LivePayloads& payloads;
    PayloadCalls& payload_calls;
    metrics::Scoreboard& scoreboard;
  };

  // Binds control.listen and serves. UNAVAILABLE: the address cannot be bound; INVALID_ARGUMENT:
  // the TLS files cannot be used. Calls are handled once the hub runs.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Parts& parts);
  // Requires: Shutdown() has returned.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // With the port that the kernel chose, if it was asked to.
  const std::string& address() const { return address_; }
  // On the hub.
  WorkerGateway& gateway();
  // Any thread.
  GrpcNumbers numbers() const;

  // Health says NOT_SERVING from now on; calls are still taken. Streams of spawns end once they
  // have answered what they took: the driver drains. On the hub.
  void StopServing();
  // Waits for calls under way, cancels what is left after `grace`, and returns when none is. Blocks
  // the thread: the hub must run meanwhile on another.
  void Shutdown(absl::Duration grace);

 private:
  struct Server;
  explicit GrpcServer(std::unique_ptr<Server> server);

  std::unique_ptr<Server> server_;
  std::string address_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_GRPC_SERVER_H_
