#include "server/control/control.h"

#include <openssl/rand.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/check.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "server/admin/health.h"
#include "server/config/limits.h"
#include "server/control/admit.h"
#include "server/control/debug_pages.h"
#include "server/control/tenant_bounds.h"
#include "server/control/worker_gateway.h"
#include "server/log.h"
#include "server/metrics/prometheus.h"
#include "server/metrics/tenant_view.h"
#include "server/process/daemon_number.h"
#include "server/tasks/refusal.h"
#include "server/tasks/volatile_handover.h"
#include "server/tenancy/config_tokens.h"
#include "server/tenancy/resource_name.h"
#include "server/version.h"

namespace grove::control {
namespace {

uint64_t SystemEntropy() {
  uint64_t seed = 0;
  // Not getrandom(2), which a sandbox may refuse: OpenSSL has others to ask then.
  GROVE_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof(seed)) == 1,
              "there is no source of random numbers");
  return seed;
}

metrics::LabelLimits LimitsOf(const config::v1::Metrics& config) {
  metrics::LabelLimits limits;
  if (config.tenants_max() > 0) limits.tenants_max = static_cast<size_t>(config.tenants_max());
  if (config.routes_max() > 0) limits.routes_max = static_cast<size_t>(config.routes_max());
  if (config.names_max() > 0) limits.names_max = static_cast<size_t>(config.names_max());
  return limits;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Control>> Control::Create(
    Hub& hub, const config::v1::Config& config, metrics::Scoreboard& scoreboard,
    tasks::TaskStore& store, tenancy::RegistryStore& registry_store,
    schedules::ScheduleStore& schedule_store, int volatile_tasks_fd, tasks::SelfCheck self_check) {
  absl::StatusOr<tenancy::Directory> directory = tenancy::Directory::Create(config);
  if (!directory.ok()) return directory.status();
  absl::StatusOr<tenancy::Registry> registry = registry_store.Load();
  if (!registry.ok()) return registry.status();
  AdoptTenants(*registry, *directory);
  auto tokens = std::make_unique<tenancy::TokenBook>();
  absl::Status added =
      tenancy::AddConfigTokens("control.tokens", config.control().tokens(), *tokens);
  if (!added.ok()) return added;
  absl::StatusOr<std::unique_ptr<tenancy::CertificateBook>> certificates =
      tenancy::CertificateBook::Create("control.tls.roles", config.control().tls().roles());
  if (!certificates.ok()) return certificates.status();
  auto revoked = RevokedCertificates::Open(config.control().tls());
  if (!revoked.ok()) return revoked.status();
  absl::StatusOr<audit::AuditLog> audit = audit::AuditLog::Open(config, "grove-control");
  if (!audit.ok()) return audit.status();
  std::unique_ptr<Control> control(new Control(
      hub, config, scoreboard, *std::move(directory), std::move(tokens), *std::move(certificates),
      *std::move(revoked), registry_store, *std::move(registry), *std::move(audit)));
  absl::Status recovered = control->Recover(store, volatile_tasks_fd, self_check);
  if (recovered.ok()) recovered = control->RecoverSchedules(schedule_store);
  if (!recovered.ok()) return recovered;
  return control;
}

Control::Control(Hub& hub, const config::v1::Config& config, metrics::Scoreboard& scoreboard,
                 tenancy::Directory directory, std::unique_ptr<tenancy::TokenBook> tokens,
                 std::unique_ptr<const tenancy::CertificateBook> certificates,
                 std::unique_ptr<RevokedCertificates> revoked,
                 tenancy::RegistryStore& registry_store, tenancy::Registry registry,
                 audit::AuditLog audit)
    : hub_(hub),
      config_(config),
      scoreboard_(scoreboard),
      directory_(std::move(directory)),
      tokens_(std::move(tokens)),
      certificates_(std::move(certificates)),
      revoked_(std::move(revoked)),
      audit_(std::move(audit)),
      authorizer_(*tokens_, certificates_.get(), tokens_->size() > 0, revoked_.get()),
      registry_(hub, registry_store, std::move(registry)),
      drain_timeout_(absl::Milliseconds(config.drain_timeout_ms())),
      payloads_(config, directory_, scoreboard_.series()),
      payload_calls_(directory_, payloads_),
      channel_({
          .reply =
              [this](internal::v1::OperationReply reply) {
                operations_->TakeReply(std::move(reply));
              },
          .operations =
              [this](const internal::v1::OperationsChanged& changed) {
                operations_->TakeOperations(changed);
                // Workers may have come or gone for it.
                look_.Set();
              },
          .apply_config = [this](const internal::v1::ApplyConfig& wanted) { Apply(wanted); },
          .ended = [this] { operations_->ChannelEnded(); },
      }) {}

absl::Status Control::Recover(tasks::TaskStore& store, int volatile_tasks_fd,
                              tasks::SelfCheck self_check) {
  if (absl::Status loaded = payloads_.Load(); !loaded.ok()) return loaded;
  engine_ = std::make_unique<tasks::TaskEngine>(
      &directory_, tasks::EngineOptions{.tasks = config_.tasks(),
                                        .start_number = store.start_number(),
                                        .daemon_number = process::DaemonNumber(),
                                        .workers = config_.workers(),
                                        .seed = SystemEntropy(),
                                        .self_check = self_check,
                                        .payloads = &payloads_.ledger()});
  payloads_.set_is_on_disk([this](uint64_t ticket) { return engine_->IsOnDisk(ticket); });
  const WallMicros now_us = WallNow();
  absl::Status recovered = RecoverTasks(store, volatile_tasks_fd, now_us);
  if (!recovered.ok()) return recovered;
  LogRecovery(engine_->EndRecovery(now_us));
  payloads_.ledger().EndRecovery(now_us);
  driver_ = std::make_unique<EngineDriver>(hub_, *engine_, store, scoreboard_.series());
  inside_ = std::make_unique<InsideCalls>(*driver_);
  links_ = std::make_unique<WorkerLinks>(config_.run_dir(), scoreboard_, *driver_, *inside_);
  links_->set_greeting([this] {
    internal::v1::ControlFrame greeting = AllBounds(directory_);
    *greeting.mutable_payload_bounds() = payloads_.Bounds();
    return greeting;
  });
  links_->set_payloads(&payloads_);
  driver_->set_sender([this](int32_t worker, internal::v1::ControlFrame frame) {
    if (worker < config::kWorkersMax) return links_->Send(worker, std::move(frame));
    if (grpc_ != nullptr) grpc_->gateway().Send(worker, std::move(frame));
  });
  inside_->set_sender([this](int32_t worker, internal::v1::ControlFrame frame) {
    links_->Send(worker, std::move(frame));
  });
  inside_->set_gate([this] { return audit_.HasRoom() ? absl::OkStatus() : AuditLogFull(); });
  inside_->set_auditor([this](const InsideSpawns& spawns) { own_audit_.Inside(spawns); });
  driver_->set_unread([this] { return links_->AnyUnread(); });
  task_calls_ = std::make_unique<TaskCalls>(hub_, *driver_);
  change_calls_ = std::make_unique<ChangeCalls>(hub_, *driver_);
  fibers_ = std::make_unique<FiberReading>(hub_, scoreboard_, *links_, offload_);
  worker_calls_ = std::make_unique<WorkerCalls>(hub_, scoreboard_, *links_, *fibers_);
  inject_calls_ = std::make_unique<InjectCalls>(hub_, scoreboard_, *links_);
  worker_calls_->set_gateway([this] { return grpc_->gateway().List(); });
  operations_ =
      std::make_unique<OperationCalls>([this](const internal::v1::OperationRequest& request) {
        internal::v1::ChildMessage message;
        *message.mutable_request() = request;
        return channel_.Send(message);
      });
  operations_->mirror().set_on_ended(
      [this](const v1::Operation& ended) { own_audit_.Ended(ended); });
  tenant_drain_ = std::make_unique<TenantDrain>(directory_, *driver_, registry_, *tokens_);
  tenant_drain_->set_on_gone([this](const std::string& tenant) {
    links_->SendToAll(BoundsOfGone(tenant));
    payloads_.RemoveAllOf(tenant);
  });
  tenant_calls_ = std::make_unique<TenantCalls>(hub_, directory_, *driver_, scoreboard_, registry_,
                                                *tenant_drain_);
  tenant_calls_->set_on_changed(
      [this](size_t tenant) { links_->SendToAll(BoundsOf(directory_, tenant)); });
  token_calls_ = std::make_unique<TokenCalls>(
      directory_, registry_, *tokens_, [this] { authorizer_.RequireTokens(); },
      certificates_->HasOperatorsAdmin());
  limit_calls_ = std::make_unique<LimitCalls>(directory_, *driver_, registry_);
  return absl::OkStatus();
}

absl::Status Control::RecoverSchedules(schedules::ScheduleStore& store) {
  auto stored = store.Load();
  if (!stored.ok()) return stored.status();
  schedules_ =
      std::make_unique<LiveSchedules>(hub_, directory_, *driver_, store, scoreboard_.series());
  schedules_->set_payloads(&payloads_.ledger());
  schedules_->Restore(*std::move(stored));
  schedules_->set_gate([this] { return audit_.HasRoom() ? absl::OkStatus() : AuditLogFull(); });
  schedules_->set_auditor([this](const ScheduledSpawn& spawn) { own_audit_.Scheduled(spawn); });
  schedule_calls_ = std::make_unique<ScheduleCalls>(directory_, *driver_, *schedules_,
                                                    config_.tasks().input_max_bytes());
  declared_ = std::make_unique<DeclaredSchedules>(hub_, *schedules_, *schedule_calls_);
  declared_->set_gate([this] { return audit_.HasRoom() ? absl::OkStatus() : AuditLogFull(); });
  declared_->set_auditor([this](const DeclaredChange& change) { own_audit_.Declared(change); });
  links_->set_on_program([this](int32_t worker, internal::v1::Program* program) {
    declared_->TakeProgram(worker, program);
  });
  tenant_drain_->set_drop_schedules(
      [this](std::string_view tenant) { return schedules_->RemoveAllOf(tenant); });
  return absl::OkStatus();
}

absl::Status Control::RecoverTasks(tasks::TaskStore& store, int volatile_tasks_fd,
                                   WallMicros now_us) {
  const tasks::StoreRetention retention{.ended_before_us = now_us - engine_->LongestRetentionUs(),
                                        .ended_max = config_.tasks().retained_max()};
  absl::Status queues =
      store.LoadQueues([this](const tasks::StoredQueue& queue) { engine_->RecoverQueue(queue); });
  if (!queues.ok()) return queues;
  tasks::VolatileTaskReader in_memory(volatile_tasks_fd);
  absl::Status loaded = store.Load(retention, [&](const tasks::StoredTask& task) {
    while (in_memory.next() != nullptr && in_memory.next()->id < task.id) {
      engine_->Recover(in_memory.Take(), now_us);
    }
    engine_->Recover(task, now_us);
  });
  if (!loaded.ok()) return loaded;
  while (in_memory.next() != nullptr) engine_->Recover(in_memory.Take(), now_us);
  absl::Status ended = store.LoadEnded(
      retention, [&](const tasks::EndedRecord& task) { engine_->RecoverEnded(task, now_us); });
  if (!ended.ok()) return ended;
  if (!in_memory.status().ok()) {
    Log(LogLevel::kError, "volatile tasks of the control before are lost",
        {{"error", in_memory.status().message()}});
  }
  return absl::OkStatus();
}

void Control::LogRecovery(const tasks::RecoveryReport& report) const {
  Log(report.unreadable > 0 ? LogLevel::kError : LogLevel::kInfo, "tasks restored",
      {{"restored", report.restored}, {"unreadable", report.unreadable}});
  for (const auto& [queue, count] : report.left_in_store) {
    Log(LogLevel::kWarning, "tasks of a queue that the config lacks stay in the store",
        {{"queue", queue}, {"tasks", count}});
  }
}

absl::Status Control::Start(int command_fd) {
  // Ports first: if they cannot be bound, nothing has happened yet.
  if (absl::Status admin = StartAdmin(); !admin.ok()) return admin;
  absl::StatusOr<std::unique_ptr<GrpcServer>> grpc = GrpcServer::Start(
      {config_, hub_, authorizer_, audit_, *tokens_, *driver_, *task_calls_, *change_calls_,
       *worker_calls_, *inject_calls_, *operations_, *tenant_calls_, *token_calls_, *limit_calls_,
       *schedule_calls_, payloads_, payload_calls_, scoreboard_});
  if (!grpc.ok()) return grpc.status();
  grpc_ = *std::move(grpc);
  if (absl::Status fibers = StartFibers(command_fd); !fibers.ok()) return fibers;
  serving_ = true;
  return absl::OkStatus();
}

void Control::AwaitLinks() {
  Timeout timeout(kFirstLinksMax);
  links_->AwaitLinked().IgnoreError();
}

absl::Status Control::StartFibers(int command_fd) {
  absl::StatusOr<FiberHandle> fiber = Spawn("engine-driver", [this] { return driver_->Run(); });
  if (!fiber.ok()) return fiber.status();
  if (command_fd < 0) operations_->ChannelEnded();
  if (command_fd >= 0) {
    fiber = Spawn("command-channel", [this, command_fd] { return channel_.Run(command_fd); });
    if (!fiber.ok()) return fiber.status();
  }
  if (absl::Status linking = links_->Follow(); !linking.ok()) return linking;
  fiber = Spawn("tenant-drain", [this] { return tenant_drain_->Run(); });
  if (!fiber.ok()) return fiber.status();
  fiber = Spawn("schedules", [this] {
    // Before a worker has come, no function is known.
    AwaitLinks();
    return schedules_->Run();
  });
  if (!fiber.ok()) return fiber.status();
  fiber = Spawn("declared-schedules", [this] {
    // In the midst of an upgrade an older program's workers may come first.
    AwaitLinks();
    return declared_->Run();
  });
  if (!fiber.ok()) return fiber.status();
  if (revoked_ != nullptr) {
    fiber = Spawn("revoked-certificates", [this] { return revoked_->Run(offload_); });
    if (!fiber.ok()) return fiber.status();
  }
  fiber = Spawn("payloads", [this] { return payloads_.Run(); });
  if (!fiber.ok()) return fiber.status();
  fiber = Spawn("token-watch", [this] { return token_calls_->Watch(); });
  if (!fiber.ok()) return fiber.status();
  return Spawn("worker-watch", [this] { return WatchWorkers(); }).status();
}

absl::Status Control::WatchWorkers() {
  for (;;) {
    // Where there is no fiber for a link now, there may be one at the next look.
    links_->Follow().IgnoreError();
    tokens_->EndExpired(WallNow());
    schedules_->LookAtClock();
    for (int worker = 0; worker < scoreboard_.workers(); ++worker) {
      driver_->WorkerStuck(worker, scoreboard_.IsStuck(worker, hub_.ReadClock()));
    }
    Timeout timeout(kWorkersLook);
    absl::Status woken = look_.Wait();
    look_.Reset();
    if (absl::IsCancelled(woken)) return woken;
  }
}

absl::Status Control::StartAdmin() {
  absl::StatusOr<std::unique_ptr<admin::AdminPort>> port = admin::AdminPort::Open(config_.admin());
  if (!port.ok()) return port.status();
  admin_ = *std::move(port);
  return admin_->Start(
      {
          .metrics = [this] { return Metrics(); },
          .metrics_for = [this](std::string_view tenant) { return MetricsFor(tenant); },
          .metrics_content_type = metrics::kMetricsContentType,
          .live = [this] { return admin::CheckLive(scoreboard_, hub_.ReadClock()); },
          .ready =
              [this] {
                return admin::CheckReady(scoreboard_, {.serving = serving_,
                                                       .draining = driver_->draining(),
                                                       .store_failure = StoreFailure(),
                                                       .linked = links_->Linked(),
                                                       .now = hub_.ReadClock()});
              },
          .debug = DebugPages({.hub = hub_,
                               .operations = *operations_,
                               .scoreboard = scoreboard_,
                               .driver = *driver_,
                               .links = *links_,
                               .fibers = *fibers_,
                               .offload = offload_,
                               .started_at = WallNow()}),
      },
      offload_);
}

// What else has changed (server/config/effect.h), the supervisor replaces control for.
void Control::Apply(const internal::v1::ApplyConfig& wanted) {
  drain_timeout_ = absl::Milliseconds(wanted.config().drain_timeout_ms());
  internal::v1::ChildMessage message;
  message.mutable_config_applied()->set_generation(wanted.generation());
  // A supervisor that has gone needs no answer.
  channel_.Send(message).IgnoreError();
}

void Control::Drain() {
  driver_->Drain(scoreboard_.workers());
  grpc_->StopServing();
  Timeout timeout(drain_timeout_ + kWorkersLastWords);
  MonotonicNanos gone_at = kNever;
  // A round follows whatever ends an attempt, makes a link or breaks one.
  for (absl::Status woken; woken.ok() && engine_->attempts_running() > 0;) {
    const bool any_linked = links_->AnyLinked();
    if (any_linked) gone_at = kNever;
    if (!any_linked && gone_at == kNever) {
      gone_at = hub_.now() + absl::ToInt64Nanoseconds(kWorkersGoneAfter);
    }
    Timeout gone(any_linked ? absl::InfiniteDuration() : absl::Nanoseconds(gone_at - hub_.now()));
    woken = driver_->AwaitRound();
  }
}

absl::Status Control::HandOver(int volatile_tasks_fd) {
  const absl::StatusOr<int64_t> handed = driver_->HandOver(volatile_tasks_fd);
  if (handed.ok()) {
    Log(LogLevel::kInfo, "handing over to the next control", {{"volatile_tasks", *handed}});
  } else {
    Log(LogLevel::kError, "volatile tasks are lost: there is no memory to hand them over in",
        {{"error", handed.status().message()}});
  }
  grpc_->StopServing();
  return Stop(kHandOverGrace);
}

absl::Status Control::Stop(absl::Duration grace) {
  absl::Status flushed = driver_->Flush(offload_);
  AwaitLastFrames();
  // Last uses are told to the minute: a disk that fails now loses no more.
  token_calls_->TidyUp().IgnoreError();
  registry_.Stop(offload_).IgnoreError();
  schedules_->Stop(offload_).IgnoreError();
  absl::Status stopped = offload_.Run([this, grace] {
    grpc_->Shutdown(grace);
    audit_.Flush();
  });
  admin_->Drain();
  return flushed.ok() ? stopped : flushed;
}

void Control::AwaitLastFrames() {
  Timeout timeout(kLastFramesMax);
  links_->AwaitWritten().IgnoreError();
}

std::string Control::StoreFailure() const {
  const absl::Status& status = engine_->store_status();
  return status.ok() ? "" : std::string(status.message());
}

// What only this process knows, for its successor to go on from.
void Control::PublishRefusals() {
  metrics::ControlSlot& slot = scoreboard_.control();
  slot.admin_tokens_refused.store(admin_->refused_tokens(), std::memory_order_relaxed);
  if (grpc_ == nullptr) return;
  const GrpcNumbers numbers = grpc_->numbers();
  slot.connections_refused.store(numbers.connections_refused, std::memory_order_relaxed);
  slot.calls_refused.store(numbers.calls_refused, std::memory_order_relaxed);
  slot.tokens_refused.store(numbers.tokens_refused, std::memory_order_relaxed);
}

std::string Control::Metrics() {
  const MonotonicNanos began = hub_.ReadClock();
  PublishRefusals();
  metrics::MetricsInput input{.scoreboard = scoreboard_};
  input.limits = LimitsOf(config_.metrics());
  input.version = std::string(kVersion);
  input.now_monotonic_ns = began;
  input.draining = driver_->draining();
  input.linked = links_->Linked();
  input.processes = metrics::ReadProcesses(scoreboard_);
  input.tasks = engine_->Counters(driver_->Now());
  CountHttpQuotas(directory_, scoreboard_, input.tasks);
  input.payloads = payloads_.Held();
  if (const audit::AuditFileStats* stats = audit_.stats(); stats != nullptr) {
    input.audit_failing = stats->failing.load(std::memory_order_relaxed);
    input.audit_waiting_bytes = stats->bytes_waiting.load(std::memory_order_relaxed);
  }
  input.store_failing = !engine_->store_status().ok();
  input.store_full = !engine_->store_room().ok();
  input.waiters = static_cast<int64_t>(driver_->ends().waits());
  if (grpc_ != nullptr) {
    const GrpcNumbers numbers = grpc_->numbers();
    input.grpc_connections = numbers.connections_open;
    input.grpc_calls_waiting = static_cast<int64_t>(numbers.calls_waiting);
  }
  input.cpus = cpus_.cpus;
  input.memory_bytes = memory_.bytes;
  input.render_seconds = render_seconds_;
  std::string text = metrics::RenderMetrics(input);
  render_seconds_ = static_cast<double>(hub_.ReadClock() - began) / 1e9;
  return text;
}

std::string Control::MetricsFor(std::string_view tenant) {
  return metrics::SeriesOfTenant(Metrics(), tenant);
}

}  // namespace grove::control
