// Control: everything of grove-control that lives on its hub.
//
// Owns the task engine, the links to the workers, the gRPC port and the admin port, and joins them.
// Hub thread only.
#ifndef GROVE_SERVER_CONTROL_CONTROL_H_
#define GROVE_SERVER_CONTROL_CONTROL_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/hub/hub.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/event.h"
#include "server/admin/admin_port.h"
#include "server/audit/audit_log.h"
#include "server/config/cpu_allowance.h"
#include "server/config/memory_allowance.h"
#include "server/control/authorizer.h"
#include "server/control/change_calls.h"
#include "server/control/declared_schedules.h"
#include "server/control/engine_driver.h"
#include "server/control/grpc_server.h"
#include "server/control/inject_calls.h"
#include "server/control/inside_calls.h"
#include "server/control/limit_calls.h"
#include "server/control/live_payloads.h"
#include "server/control/live_registry.h"
#include "server/control/live_schedules.h"
#include "server/control/operation_calls.h"
#include "server/control/own_audit.h"
#include "server/control/payload_calls.h"
#include "server/control/schedule_calls.h"
#include "server/control/task_calls.h"
#include "server/control/tenant_calls.h"
#include "server/control/tenant_drain.h"
#include "server/control/token_calls.h"
#include "server/control/worker_calls.h"
#include "server/control/worker_links.h"
#include "server/metrics/scoreboard.h"
#include "server/process/child_channel.h"
#include "server/schedules/schedule_store.h"
#include "server/tenancy/directory.h"
#include "server/tenancy/registry.h"
#include "server/tenancy/token_book.h"

namespace grove::control {

// Calls under way when the drain is over, and not waiting for tasks; also connections of clients
// that do not look at theirs.
inline constexpr absl::Duration kCallsGrace = absl::Seconds(1);
// The same where a successor waits for the port: who is cut off tries again.
inline constexpr absl::Duration kHandOverGrace = absl::Milliseconds(200);
// Workers give unfinished attempts back when the drain time-out is over, and wait for the
// acknowledgement: control outlasts them. With kCallsGrace below the supervisor's grace of 5 s.
inline constexpr absl::Duration kWorkersLastWords = absl::Milliseconds(1500);
// For the last acknowledgements; a worker that does not read is not waited for.
inline constexpr absl::Duration kLastFramesMax = absl::Milliseconds(100);
// Without any link for this long, the workers are gone for good.
inline constexpr absl::Duration kWorkersGoneAfter = absl::Seconds(1);
// Before control calls itself ready: who is told so may spawn tasks at once. A worker that takes
// longer to come is not waited for.
inline constexpr absl::Duration kFirstLinksMax = absl::Seconds(1);
// How often control looks which workers there are, which of them are stuck, and which tokens have
// expired.
inline constexpr absl::Duration kWorkersLook = absl::Milliseconds(250);

class Control {
 public:
  // Reads the stores, and what an earlier control left in the memory file `volatile_tasks_fd` (-1:
  // there is none). All must outlive it; it must outlive the hub's Run(). INVALID_ARGUMENT: the
  // config; else the store's error.
  static absl::StatusOr<std::unique_ptr<Control>> Create(
      Hub& hub, const config::v1::Config& config, metrics::Scoreboard& scoreboard,
      tasks::TaskStore& store, tenancy::RegistryStore& registry,
      schedules::ScheduleStore& schedules, int volatile_tasks_fd = -1,
      tasks::SelfCheck self_check = tasks::kSelfCheckDefault);

  // On the hub. `command_fd`: its end of the command channel, which it takes over (-1: it has none,
  // and operations are UNAVAILABLE). UNAVAILABLE: a port cannot be bound.
  absl::Status Start(int command_fd = -1);
  // Returns once every worker is linked, or after kFirstLinksMax. **Parks.**
  void AwaitLinks();
  // Refuses new tasks, starts none, and returns when no attempt runs any more, the workers are gone
  // or drain_timeout_ms has passed. **Parks.**
  void Drain();
  // Puts everything on disk, answers who still waits, and closes the gRPC port, at the latest
  // `grace` later. **Parks.**
  absl::Status Stop(absl::Duration grace = kCallsGrace);
  // Instead of Drain() and Stop(): at once, for a successor, while attempts go on in their workers.
  // The volatile tasks go into the memory file `volatile_tasks_fd`. **Parks.**
  absl::Status HandOver(int volatile_tasks_fd);

  absl::Duration drain_timeout() const { return drain_timeout_; }
  // With the ports that the kernel chose.
  const std::string& grpc_address() const { return grpc_->address(); }
  const std::string& admin_address() const { return admin_->address(); }
  // Any thread.
  tenancy::TokenBook& tokens() { return *tokens_; }

 private:
  Control(Hub& hub, const config::v1::Config& config, metrics::Scoreboard& scoreboard,
          tenancy::Directory directory, std::unique_ptr<tenancy::TokenBook> tokens,
          std::unique_ptr<const tenancy::CertificateBook> certificates,
          std::unique_ptr<RevokedCertificates> revoked, tenancy::RegistryStore& registry_store,
          tenancy::Registry registry, audit::AuditLog audit);
  absl::Status Recover(tasks::TaskStore& store, int volatile_tasks_fd, tasks::SelfCheck self_check);
  // What the store and the memory file have, in the order of the ids.
  absl::Status RecoverTasks(tasks::TaskStore& store, int volatile_tasks_fd, WallMicros now_us);
  absl::Status RecoverSchedules(schedules::ScheduleStore& store);
  void LogRecovery(const tasks::RecoveryReport& report) const;
  absl::Status StartFibers(int command_fd);
  // Links those that have come, and tells the engine which are stuck: until cancelled. **Parks.**
  absl::Status WatchWorkers();
  // Why durable tasks are refused; empty if they are not.
  std::string StoreFailure() const;
  absl::Status StartAdmin();
  // Takes over what control changes in place, and answers.
  void Apply(const internal::v1::ApplyConfig& wanted);
  void AwaitLastFrames();
  void PublishRefusals();
  std::string Metrics();
  std::string MetricsFor(std::string_view tenant);

  // Constant after construction.
  Hub& hub_;
  const config::v1::Config& config_;  // that it was started with
  metrics::Scoreboard& scoreboard_;
  tenancy::Directory directory_;
  // Those of the config, and whatever comes to be besides.
  const std::unique_ptr<tenancy::TokenBook> tokens_;
  const std::unique_ptr<const tenancy::CertificateBook> certificates_;
  const std::unique_ptr<RevokedCertificates> revoked_;  // null: there are no lists
  const config::CpuAllowance cpus_ = config::CpuAllowance::OfThisProcess();
  const config::MemoryAllowance memory_ = config::MemoryAllowance::OfThisProcess();

  audit::AuditLog audit_;
  Authorizer authorizer_;
  const OwnAudit own_audit_{audit_, authorizer_};
  LiveRegistry registry_;

  absl::Duration drain_timeout_;
  bool serving_ = false;
  // Before the engine, which holds payloads.
  LivePayloads payloads_;
  PayloadCalls payload_calls_;
  std::unique_ptr<tasks::TaskEngine> engine_;
  std::unique_ptr<EngineDriver> driver_;
  std::unique_ptr<InsideCalls> inside_;
  std::unique_ptr<WorkerLinks> links_;
  std::unique_ptr<TaskCalls> task_calls_;
  std::unique_ptr<ChangeCalls> change_calls_;
  std::unique_ptr<FiberReading> fibers_;
  std::unique_ptr<WorkerCalls> worker_calls_;
  std::unique_ptr<InjectCalls> inject_calls_;
  std::unique_ptr<OperationCalls> operations_;
  std::unique_ptr<TenantDrain> tenant_drain_;
  std::unique_ptr<LiveSchedules> schedules_;
  std::unique_ptr<ScheduleCalls> schedule_calls_;
  std::unique_ptr<DeclaredSchedules> declared_;
  std::unique_ptr<TenantCalls> tenant_calls_;
  std::unique_ptr<TokenCalls> token_calls_;
  std::unique_ptr<LimitCalls> limit_calls_;
  process::ChildChannel channel_;
  // Set where workers may have come or gone.
  Event look_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<admin::AdminPort> admin_;
  // For the stop, certificates, and reading stuck workers from outside.
  OffloadPool offload_{{.threads = 2}};
  double render_seconds_ = 0;  // what /metrics took last
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_CONTROL_H_
