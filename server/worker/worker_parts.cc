// The order in which a worker comes up and goes down.
//
// Up: what can end it (signals, lifeline) before anything that takes time; the heartbeat, so that
// the scoreboard tells a slow start from a dead one; the backdoor before the application's start
// hooks, so that one that hangs can be looked into; these before the link and HTTP, since whatever
// comes by them finds what the hooks have opened; last of all the ready line. Every fiber so far
// has only been spawned: the first of them runs when the main one parks, after the line. That is in
// order, since the listeners were bound by the supervisor: a client that comes as soon as the
// daemon says that it serves waits in the backlog for a turn of the hub, not in vain.
//
// Down: control first hears of it and starts no more attempts here; the listeners close, so that
// the kernel gives new connections to the other workers; then everything that runs has until the
// drain time-out, which all parts share as one deadline. Control's acknowledgements come last, as
// the attempts that end in the drain have results too (invariant 9). What is left then is cut off
// by the hub's end, when all fibers are cancelled.
#include "server/worker/worker_parts.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/signals.h"
#include "runtime/switch/abseil_text.h"
#include "server/audit/audit_log.h"
#include "server/config/change.h"
#include "server/log.h"
#include "server/payloads/payload_folder.h"
#include "server/process/heartbeat.h"
#include "server/process/lifeline.h"
#include "server/process/ready_line.h"
#include "server/process/signals.h"
#include "server/read_settings.h"
#include "server/worker/inspections.h"
#include "server/worker/options.h"
#include "server/worker/webhook.h"

namespace grove::worker {
namespace {

// For control to acknowledge what ended, once the drain is over; below the supervisor's grace.
constexpr absl::Duration kFarewell = absl::Seconds(1);

// One of the application's by the same name is the one that runs.
Attempts::Functions WithOwnFunctions(Attempts::Functions functions,
                                     const config::v1::Tasks& tasks) {
  functions.try_emplace(
      std::string(kWebhookFunction),
      Application::FunctionEntry{WebhookFunction(tasks.webhook_secret_file()), WebhookOptions()});
  return functions;
}

}  // namespace

WorkerParts::WorkerParts(const process::WorkerInheritance& inheritance,
                         const config::v1::Config& config, const Application& application,
                         metrics::Scoreboard& scoreboard,
                         std::unique_ptr<functions::FetchClient> fetch,
                         access_log::AccessLogFile* access_log, const Watchdog& watchdog)
    : inheritance_(inheritance),
      started_with_(config),
      config_(config),
      application_(application),
      scoreboard_(scoreboard),
      slot_(scoreboard.slot(inheritance.slot)),
      fetch_(std::move(fetch)),
      access_log_(access_log),
      offload_({.threads = config.runtime().offload_threads()}),
      pool_cells_(scoreboard, inheritance.slot),
      quotas_(scoreboard, inheritance.slot),
      origins_(scoreboard, inheritance.slot, config.fetch()),
      settings_(SettingsOf(application.settings(), config.application())),
      topics_({.slot = inheritance.slot,
               .folder = config.run_dir(),
               .live_slots = [this] { return LiveSlots(); }}),
      table_(inheritance.table, Clock::Monotonic()),
      locks_(inheritance.table, Clock::Monotonic(), getpid()),
      http_client_(*http::HttpClient::Create()),
      resolver_(*Resolver::Create()),
      services_{.worker = inheritance.slot,
                .fetch = *fetch_,
                .offload = offload_,
                .tasks = tasks_,
                .tenants = tenants_,
                .settings = settings_,
                .pools = pools_,
                .topics = topics_,
                .table = table_,
                .locks = locks_,
                .http = http_client_.get(),
                .resolver = resolver_.get()},
      own_cells_(scoreboard, inheritance.slot, application.metrics()),
      route_cells_(scoreboard, inheritance.slot),
      route_stats_([this](std::string_view route, size_t method, int status) {
        return route_cells_.Of(route, method, status);
      }),
      websocket_budget_(static_cast<uint64_t>(config.http().websocket_memory_max_bytes()),
                        http_stats_.websockets_over_budget),
      handlers_(application, services_, websocket_budget_),
      functions_(WithOwnFunctions(application.functions(), config.tasks())),
      hooks_(application, services_, settings_),
      attempts_(functions_, services_, AttemptLimitsOf(config.tasks())),
      link_(inheritance.slot, functions_, attempts_, offload_, tasks_, tenants_, quotas_),
      periodic_(application.periodic(), services_),
      watchdog_(watchdog),
      publisher_(slot_, http_stats_, attempts_, *fetch_, offload_, watchdog),
      backdoor_(config.backdoor(), BackdoorEnvironmentOf(), publisher_) {
  application.metrics().Attach(own_cells_);
  quotas_.Begin(config);
  if (!config.state_dir().empty()) {
    attempts_.set_payload_folder(payloads::PayloadFolderOf(config.state_dir()));
  }
  link_.set_desk(desk_);
  fetch_->set_turns(quotas_);
  fetch_->set_origins(origins_);
  http_stats_.by_route = &route_stats_;
  publisher_.set_topics(topics_.stats());
  if (access_log != nullptr) publisher_.set_access_log(access_log->writer().stats());
}

backdoor::BackdoorEnvironment WorkerParts::BackdoorEnvironmentOf() {
  backdoor::BackdoorEnvironment environment;
  environment.worker = inheritance_.slot;
  environment.worker_facts = [this]() -> backdoor::BackdoorRow {
    return {{"worker", int64_t{inheritance_.slot}},
            {"pid", int64_t{getpid()}},
            {"attempts_running", attempts_.running()},
            {"attempts_ended", static_cast<int64_t>(attempts_.stats().ended)},
            {"attempts_unacknowledged", static_cast<int64_t>(attempts_.unacknowledged())},
            {"http_connections", static_cast<int64_t>(http_stats_.open)},
            {"http_requests", static_cast<int64_t>(http_stats_.requests)},
            {"topics_published", static_cast<int64_t>(topics_.stats().published)},
            {"topics_delivered", static_cast<int64_t>(topics_.stats().delivered)},
            {"topics_dropped", static_cast<int64_t>(topics_.stats().dropped)},
            {"topics_unsent", static_cast<int64_t>(topics_.stats().unsent)},
            {"hub_stalls", static_cast<int64_t>(watchdog_.stats().stalls)},
            {"hub_stall_longest_seconds",
             absl::ToDoubleSeconds(absl::Nanoseconds(watchdog_.stats().longest))},
            {"linked", link_.connected()},
            {"draining", stop_.ready()}};
  };
  environment.pools = [this] {
    backdoor::BackdoorTable rows = {{{"name", std::string("offload")},
                                     {"size", int64_t{config_.runtime().offload_threads()}},
                                     {"running", int64_t{offload_.running()}},
                                     {"waiting", static_cast<int64_t>(offload_.queued())}},
                                    {{"name", std::string("fetch")},
                                     {"size", int64_t{config_.fetch().concurrency_max()}},
                                     {"running", fetch_->stats().running},
                                     {"waiting", fetch_->stats().waiting}},
                                    {{"name", std::string("attempts")},
                                     {"size", config_.tasks().running_max_per_worker()},
                                     {"running", attempts_.running()},
                                     {"waiting", int64_t{0}}}};
    pools_.Visit([&rows](const WorkPoolNumbers& pool) {
      rows.push_back({{"name", std::string(pool.name)},
                      {"kind", std::string(pool.kind)},
                      {"size", pool.size},
                      {"running", pool.busy},
                      {"waiting", pool.queued},
                      {"calls", static_cast<int64_t>(pool.calls)},
                      {"refused", static_cast<int64_t>(pool.refused)},
                      {"dropped", static_cast<int64_t>(pool.dropped)},
                      {"failures", static_cast<int64_t>(pool.failures)},
                      {"wait_seconds", pool.wait_seconds},
                      {"run_seconds", pool.run_seconds}});
    });
    return rows;
  };
  environment.application = [this] { return DescribeInspections(application_); };
  environment.ask_application = [this](const std::string& name, std::string_view argument) {
    return Inspect(application_, services_, name, argument);
  };
  environment.audit = [this](std::string_view line) {
    audit::WriteAuditLine(started_with_, StrCat("grove-w", inheritance_.slot),
                          {.method = "backdoor", .asked = line});
  };
  return environment;
}

template <typename F>
absl::Status WorkerParts::Keep(std::string_view name, F body) {
  return Spawn(name,
               [this, name, body = std::move(body)]() mutable {
                 absl::Status status = body();
                 if (Hub::Current()->running()->cancelled() || stop_.ready()) return;
                 why_ = absl::InternalError(StrCat(name, ": ", status.ToString()));
                 stop_.Set();
               })
      .status();
}

// They have been blocked since the worker began; what came meanwhile is taken now.
absl::Status WorkerParts::WatchSignals() {
  // A terminal's Ctrl-C and hang-up reach the whole group; the supervisor decides what they mean.
  absl::StatusOr<SignalSet> signals = SignalSet::Create(process::WithSignalsOfNoUse({}));
  if (!signals.ok()) return signals.status();
  return Keep("signals", [this, signals = *std::move(signals)]() mutable {
    for (;;) {
      absl::StatusOr<SignalReceived> signal = signals.Await();
      if (!signal.ok()) return signal.status();
      switch (signal->number) {
        case SIGTERM:
          if (!stop_.ready()) stop_.Set();
          break;
        case SIGUSR1:
          if (access_log_ != nullptr) access_log_->writer().Reopen();
          break;
        case SIGINT:
        case SIGHUP:
          break;
        default:
          process::LogUnusedSignal(signal->number, signal->pid);
      }
    }
  });
}

absl::Status WorkerParts::ServeLink() {
  absl::StatusOr<Listener> link = Listener::Adopt(inheritance_.link_fd);
  if (!link.ok()) return link.status();
  link_listener_.emplace(*std::move(link));
  absl::Status status = Keep("link.accept", [this] { return link_.Run(*link_listener_); });
  if (status.ok()) {
    status = Keep("link.usage", [this]() -> absl::Status {
      absl::Status slept;
      while ((slept = Sleep(http::kUsagePeriod)).ok()) link_.TellUsage();
      return slept;
    });
  }
  return status;
}

absl::Status WorkerParts::ServeTopics() {
  if (absl::Status opened = topics_.Open(); !opened.ok()) return opened;
  return Keep("topics.accept", [this] { return topics_.Run(); });
}

// One that starts has subscribers before it is ready, and one that drains has them still.
std::vector<int> WorkerParts::LiveSlots() const {
  std::vector<int> live;
  const auto add = [&](int slot) {
    const auto state = scoreboard_.slot(slot).state.load(std::memory_order_relaxed);
    if (state == metrics::SlotState::kEmpty || state == metrics::SlotState::kDown) return;
    live.push_back(slot);
  };
  for (int slot = 0; slot < scoreboard_.workers(); ++slot) add(slot);
  add(metrics::Scoreboard::kStandIn);
  return live;
}

absl::Status WorkerParts::ServeBackdoor() {
  absl::StatusOr<Listener> backdoor = Listener::Adopt(inheritance_.backdoor_fd);
  if (!backdoor.ok()) return backdoor.status();
  backdoor_listener_.emplace(*std::move(backdoor));
  return Keep("backdoor.accept", [this] { return backdoor_.Run(*backdoor_listener_); });
}

absl::Status WorkerParts::Serve() {
  absl::Status status = inheritance_.stand_in ? absl::OkStatus() : ServeBackdoor();
  if (status.ok()) status = hooks_.Start(functions_);
  if (status.ok() && !inheritance_.stand_in) status = ServeLink();
  if (!status.ok()) return status;
  absl::StatusOr<http::Router> router = RouterOf(config_);
  if (!router.ok()) return router.status();
  http_.emplace(HttpOptions(config_), *std::move(router), http_stats_);
  return ServeListeners();
}

absl::StatusOr<http::Router> WorkerParts::RouterOf(const config::v1::Config& config) {
  HandlerSource handlers = handlers_.Source();
  handlers.gate = &quotas_;
  absl::StatusOr<http::Router> router = BuildRouter(config, application_, handlers);
  if (absl::Status failed = handlers_.TakeFailure(); !failed.ok()) return failed;
  return router;
}

http::ServerOptions WorkerParts::HttpOptions(const config::v1::Config& config) {
  http::ServerOptions options = HttpOptionsOf(config.http());
  options.access_log = access_log_;
  if (tracing_ != nullptr) options.tracer = &tracing_->tracer();
  options.other_workers = [this] { return OtherWorkers(); };
  return options;
}

void WorkerParts::Apply(const internal::v1::ApplyConfig& wanted) {
  bool refused = false;
  const absl::Status status = TakeOver(wanted.config(), refused);
  if (status.ok()) {
    slot_.config_generation.store(wanted.generation(), std::memory_order_relaxed);
  } else {
    Log(LogLevel::kError, "the worker does not have all of the config",
        {{"generation", wanted.generation()}, {"error", status.ToString()}});
  }
  internal::v1::ChildMessage message;
  internal::v1::ConfigApplied& applied = *message.mutable_config_applied();
  applied.set_generation(wanted.generation());
  applied.set_refused_by_application(refused);
  applied.mutable_status()->set_code(static_cast<int>(status.code()));
  applied.mutable_status()->set_message(std::string(status.message()));
  // Where the supervisor has gone, the lifeline says so.
  commands_.Send(message).IgnoreError();
}

// What is not made anew here (server/config/effect.h) is as it was: the supervisor replaces the
// worker for it. Routes are in any case, since the files of their tokens may be others. The config
// was found good before it came here: what fails now is what only the application's code knows.
absl::Status WorkerParts::TakeOver(const config::v1::Config& config, bool& refused) {
  absl::StatusOr<http::Router> router = RouterOf(config);
  absl::Status status = router.status();
  if (status.ok()) {
    status = hooks_.Reload(SettingsOf(application_.settings(), config.application()));
  }
  refused = !status.ok();
  if (refused) return status;
  http::ServerOptions options = HttpOptions(config);
  options.connections_max = started_with_.http().connections_max();
  if (http_.has_value()) http_->Change(std::move(options), *std::move(router));
  AttemptLimits limits = AttemptLimitsOf(config.tasks());
  limits.running_max = started_with_.tasks().running_max_per_worker();  // control was told
  attempts_.set_limits(limits);
  config_ = config;
  // It may have started with a config that did not stay in force.
  for (const config::Change& change : config::Compare(started_with_, config)) {
    if (change.effect != config::Effect::kReplacesWorkers) continue;
    return absl::FailedPreconditionError(StrCat(change.key, " is as at the worker's start"));
  }
  return absl::OkStatus();
}

// A few will do: they have a few others in turn, so that all come to the same. Of 256 workers each
// would cost a cache miss for each burst.
std::vector<http::WorkerLoad> WorkerParts::OtherWorkers() const {
  constexpr int kOthersMax = 8;
  std::vector<http::WorkerLoad> loads;
  for (int i = 1; i < scoreboard_.workers() && i <= kOthersMax; ++i) {
    const metrics::WorkerSlot& other =
        scoreboard_.slot((inheritance_.slot + i) % scoreboard_.workers());
    const auto state = other.state.load(std::memory_order_relaxed);
    const int64_t open = other.http_connections_open.load(std::memory_order_relaxed);
    loads.push_back({.accepts = state == metrics::SlotState::kReady,
                     .open = static_cast<uint64_t>(open),
                     .last_turn = other.last_turn_ns.load(std::memory_order_relaxed)});
  }
  return loads;
}

absl::Status WorkerParts::ServeListeners() {
  absl::StatusOr<Ingresses> ingresses = Ingresses::Build(config_.http(), inheritance_.ticket_keys);
  if (!ingresses.ok()) return ingresses.status();
  ingresses_.emplace(*std::move(ingresses));
  ingresses_->LogWarnings();
  for (const auto& [fd, index] : inheritance_.http) {
    absl::StatusOr<Listener> listener = Listener::Adopt(fd);
    if (!listener.ok()) return listener.status();
    const http::Ingress* ingress = ingresses_->at(index);
    // With reuse_port the kernel has spread them already, and nobody else can accept what is here.
    const bool own = config_.http().listeners(index).reuse_port();
    const http::Sharing sharing = own ? http::Sharing::kAlone : http::Sharing::kWithOtherWorkers;
    absl::Status kept =
        Keep("http.accept", [this, ingress, sharing, listener = *std::move(listener)]() mutable {
          return http_->Serve(std::move(listener), ingress, sharing);
        });
    if (!kept.ok()) return kept;
  }
  if (!ingresses_->any_tls()) return absl::OkStatus();
  return Keep("http.certificates", [this] {
    absl::Status status;
    while ((status = Sleep(process::kCertificateCheckPeriod)).ok() &&
           (status = ingresses_->Renew(offload_)).ok()) {
    }
    return status;
  });
}

absl::Status WorkerParts::AnnounceReady() {
  // The boot was no standstill.
  slot_.last_turn_ns.store(Hub::Current()->ReadClock(), std::memory_order_relaxed);
  slot_.state.store(metrics::SlotState::kReady, std::memory_order_relaxed);
  absl::Status sent = process::SendReadyLine(inheritance_.ready_fd, process::FormatWorkerReady());
  if (!sent.ok()) return sent;
  Log(LogLevel::kDebug, "worker ready", {{"pid", getpid()}});
  return absl::OkStatus();
}

absl::Status WorkerParts::StartTracing() {
  if (started_with_.tracing().endpoint().empty()) return absl::OkStatus();
  auto tracing =
      WorkerTracing::Create(started_with_.tracing(), application_.name(), inheritance_.slot);
  if (!tracing.ok()) return tracing.status();
  tracing_ = *std::move(tracing);
  attempts_.set_tracer(&tracing_->tracer());
  publisher_.set_spans(tracing_->counts());
  return Keep("tracing", [this] { return tracing_->Run(); });
}

absl::Status WorkerParts::OpenPools() {
  if (absl::Status opened = pools_.Open(application_.work_pools()); !opened.ok()) return opened;
  publisher_.set_work_pools(pools_, pool_cells_);
  return absl::OkStatus();
}

absl::Status WorkerParts::Run() {
  absl::Status status = RunParts();
  // What used them has ended, or is cut off with them.
  Timeout timeout(kFarewell);
  pools_.StopProcesses().IgnoreError();
  return status;
}

absl::Status WorkerParts::RunParts() {
  Hub& hub = *Hub::Current();
  hub.set_turn_hook([this](Hub& turning) { publisher_.Publish(turning); });
  const auto heartbeat = [stuck = absl::Milliseconds(config_.runtime().stuck_ms())] {
    return process::Heartbeat(stuck);
  };
  absl::Status status = WatchSignals();
  if (status.ok()) {
    status = Keep("lifeline", [this] { return process::WatchLifeline(inheritance_.lifeline_fd); });
  }
  if (status.ok()) status = Keep("heartbeat", heartbeat);
  // The start hooks may use them.
  if (status.ok()) status = OpenPools();
  if (status.ok()) status = StartTracing();
  if (status.ok()) status = ServeTopics();
  if (status.ok()) status = Serve();
  if (status.ok()) {
    // Its end is no reason to stop. A config that came meanwhile waits until there is something
    // that can take it over.
    status = Spawn("commands", [this] { return commands_.Run(inheritance_.command_fd); }).status();
  }
  if (status.ok()) status = periodic_.Start();
  if (status.ok()) status = AnnounceReady();
  if (status.ok()) status = stop_.Wait();
  if (!status.ok() || !why_.ok()) {
    hooks_.Stop(absl::ZeroDuration());
    return status.ok() ? why_ : status;
  }
  Drain();
  return absl::OkStatus();
}

void WorkerParts::Drain() {
  Hub& hub = *Hub::Current();
  const MonotonicNanos deadline =
      DeadlineAfter(hub.now(), absl::Milliseconds(config_.drain_timeout_ms()));
  const auto left = [&] { return absl::Nanoseconds(deadline - hub.now()); };
  slot_.state.store(metrics::SlotState::kDraining, std::memory_order_relaxed);
  Log(LogLevel::kInfo, "draining",
      {{"attempts", attempts_.running()}, {"http_requests", http_stats_.running}});
  link_.AnnounceDrain();
  http_->Drain();
  // What fails to end in time is cut off by the hub's end; each says so itself.
  {
    Timeout timeout(left());
    if (!periodic_.Stop().ok()) Log(LogLevel::kWarning, "periodic work did not end in time");
  }
  attempts_.Drain(deadline).IgnoreError();
  {
    Timeout timeout(left());
    if (!http_->AwaitIdle().ok()) {
      Log(LogLevel::kWarning, "HTTP requests did not end in time",
          {{"running", http_stats_.running}});
    }
  }
  hooks_.Stop(left());
  if (tracing_ != nullptr) tracing_->Flush(std::max(left(), absl::Seconds(1)));
  if (!link_.connected()) return;
  Timeout timeout(kFarewell);
  if (!attempts_.AwaitAcknowledged().ok()) {
    Log(LogLevel::kWarning, "control did not acknowledge all results",
        {{"attempts", attempts_.unacknowledged()}});
  }
}

}  // namespace grove::worker
