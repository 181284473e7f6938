#include "server/worker/worker.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "runtime/offload/offload.h"
#include "runtime/switch/errno_status.h"
#include "runtime/watch/watchdog.h"
#include "server/access_log/access_log_file.h"
#include "server/backdoor/backdoor.h"
#include "server/functions/fetch.h"
#include "server/http/handler/status.h"
#include "server/http/serving/server.h"
#include "server/log.h"
#include "server/process/exit_code.h"
#include "server/process/lifeline.h"
#include "server/process/ready_line.h"
#include "server/worker/attempts.h"
#include "server/worker/backdoor_listener.h"
#include "server/worker/crash_report.h"
#include "server/worker/ingresses.h"
#include "server/worker/link.h"
#include "server/worker/periodic.h"
#include "server/worker/publisher.h"
#include "server/worker/routes.h"
#include "server/worker/stall_log.h"

namespace grove::worker {
namespace {

// Handlers and functions parse, format and call libraries: more than the runtime's own default.
constexpr size_t kStackBytes = 256 * 1024;
// An idle hub turns this often, so that a stuck one is told from an idle one: well within the 5 s
// of the alert, and with the watchdog's look after each turn one wake-up a second.
constexpr absl::Duration kHeartbeat = absl::Seconds(2);
// For control to acknowledge what ended, once the drain is over; below the supervisor's grace.
constexpr absl::Duration kFarewell = absl::Seconds(1);
// For the last lines of the access log; likewise.
constexpr absl::Duration kLastLines = absl::Seconds(1);

AttemptLimits AttemptLimitsOf(const config::v1::Tasks& tasks) {
  return {.running_max = tasks.running_max_per_worker(),
          .output_max_bytes = static_cast<size_t>(tasks.output_max_bytes()),
          .default_timeout = absl::Milliseconds(tasks.default_timeout_ms())};
}

http::ServerOptions HttpOptionsOf(const config::v1::Http& config) {
  http::ServerOptions options;
  options.connections_max = config.connections_max();
  options.idle_timeout = absl::Milliseconds(config.idle_timeout_ms());
  options.header_timeout = absl::Milliseconds(config.header_timeout_ms());
  options.io_timeout = absl::Milliseconds(config.io_timeout_ms());
  options.body_max_bytes = config.body_max_bytes();
  options.body_rate_min_bytes_per_s = config.body_rate_min_bytes_per_s();
  options.requests_per_connection_max = config.requests_per_connection_max();
  options.on_failure = [](const http::Request& request, const absl::Status& status) {
    // What clients can cause at will must not fill the log.
    const bool ours = http::StatusToHttp(status.code()) >= 500;
    Log(ours ? LogLevel::kError : LogLevel::kDebug, "a handler failed",
        {{"method", request.method}, {"path", request.path}, {"error", status.ToString()}});
  };
  // Anybody can cause these, so only who looks for them sees them; all are counted.
  options.on_failed_ingress = [](std::string_view peer, const absl::Status& status) {
    Log(LogLevel::kDebug, "a connection failed before its first request",
        {{"peer", peer}, {"error", status.ToString()}});
  };
  return options;
}

// Blocks what the hub reads from a signalfd, and what only the supervisor acts on. Threads started
// later inherit it.
absl::StatusOr<int> OpenSignals() {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&blocked, number);
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
  sigset_t read;
  sigemptyset(&read);
  sigaddset(&read, SIGTERM);
  sigaddset(&read, SIGUSR1);
  const int fd = signalfd(-1, &read, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return ErrnoStatus(errno, "signalfd");
  return fd;
}

// Everything a worker consists of. Outlives the hub's run, since fibers of any part may end last.
class Worker {
 public:
  Worker(const process::WorkerInheritance& inheritance, const config::v1::Config& config,
         const Application& application, metrics::WorkerSlot& slot,
         std::unique_ptr<functions::FetchClient> fetch, access_log::AccessLogFile* access_log,
         const Watchdog& watchdog)
      : inheritance_(inheritance),
        config_(config),
        application_(application),
        slot_(slot),
        fetch_(std::move(fetch)),
        access_log_(access_log),
        offload_({.threads = config.runtime().offload_threads()}),
        services_{.worker = inheritance.slot, .fetch = *fetch_, .offload = offload_},
        attempts_(application.functions(), services_, AttemptLimitsOf(config.tasks())),
        link_(inheritance.slot, application.functions(), attempts_, offload_),
        periodic_(application.periodic(), services_),
        watchdog_(watchdog),
        publisher_(slot, http_stats_, attempts_, *fetch_, offload_, watchdog),
        backdoor_(config.backdoor(), BackdoorEnvironmentOf(), publisher_) {
    if (access_log != nullptr) publisher_.set_access_log(access_log->writer().stats());
  }

  // The main fiber: serves until told to stop, then drains.
  absl::Status Run(int signal_fd);
  void StopThreads() { offload_.Stop(); }

 private:
  backdoor::BackdoorEnvironment BackdoorEnvironmentOf();
  absl::Status WatchSignals(int signal_fd);
  HandlerSource Handlers();
  absl::Status Serve();
  absl::Status ServeListeners();
  absl::Status AnnounceReady();
  void Drain();
  // Runs `body` on a fiber that the worker cannot do without.
  template <typename F>
  absl::Status Keep(std::string_view name, F body);

  const process::WorkerInheritance inheritance_;
  const config::v1::Config& config_;
  const Application& application_;
  metrics::WorkerSlot& slot_;
  const std::unique_ptr<functions::FetchClient> fetch_;
  access_log::AccessLogFile* const access_log_;  // null: none
  OffloadPool offload_;
  WorkerServices services_;
  http::ServerStats http_stats_;
  std::optional<Ingresses> ingresses_;  // outlives the server
  std::optional<http::Server> http_;
  std::optional<Listener> link_listener_;
  std::optional<Listener> backdoor_listener_;
  Attempts attempts_;
  LinkServer link_;
  PeriodicWork periodic_;
  const Watchdog& watchdog_;
  Publisher publisher_;
  BackdoorListener backdoor_;
  // Why it stops: OK when told to.
  absl::Status why_;
  Event stop_;
};

backdoor::BackdoorEnvironment Worker::BackdoorEnvironmentOf() {
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
            {"hub_stalls", static_cast<int64_t>(watchdog_.stats().stalls)},
            {"hub_stall_longest_seconds",
             absl::ToDoubleSeconds(absl::Nanoseconds(watchdog_.stats().longest))},
            {"linked", link_.connected()},
            {"draining", stop_.ready()}};
  };
  environment.pools = [this]() -> backdoor::BackdoorTable {
    return {{{"name", std::string("offload")},
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
  };
  environment.audit = [](std::string_view line) {
    Log(LogLevel::kInfo, "backdoor", {{"line", line}});
  };
  return environment;
}

template <typename F>
absl::Status Worker::Keep(std::string_view name, F body) {
  return Spawn(name,
               [this, name, body = std::move(body)]() mutable {
                 absl::Status status = body();
                 if (Hub::Current()->running()->cancelled() || stop_.ready()) return;
                 why_ =
                     absl::InternalError(absl::StrCat(std::string(name), ": ", status.ToString()));
                 stop_.Set();
               })
      .status();
}

absl::Status Worker::WatchSignals(int signal_fd) {
  absl::StatusOr<Socket> signals = Socket::Adopt(signal_fd);
  if (!signals.ok()) return signals.status();
  return Keep("signals", [this, signals = *std::move(signals)]() mutable {
    signalfd_siginfo info;
    for (;;) {
      absl::StatusOr<size_t> got = signals.Read({reinterpret_cast<char*>(&info), sizeof(info)});
      if (!got.ok()) return got.status();
      if (info.ssi_signo != SIGUSR1) {
        if (!stop_.ready()) stop_.Set();
      } else if (access_log_ != nullptr) {
        access_log_->writer().Reopen();
      }
    }
  });
}

HandlerSource Worker::Handlers() {
  return {.handler =
              [this](const std::string& name, const Application::RouteSettings& route) {
                const auto of_folder = application_.folder_handlers().find(name);
                return of_folder != application_.folder_handlers().end()
                           ? of_folder->second(services_, route)
                           : application_.handlers().at(name)(services_);
              },
          .websocket =
              [this](const std::string& name, http::WebSocketOptions options) {
                return http::WebSocketHandler(
                    std::move(options), application_.websockets().at(name).factory(services_));
              }};
}

absl::Status Worker::Serve() {
  absl::StatusOr<Listener> link = Listener::Adopt(inheritance_.link_fd);
  if (!link.ok()) return link.status();
  link_listener_.emplace(*std::move(link));
  absl::Status status = Keep("link.accept", [this] { return link_.Run(*link_listener_); });
  if (!status.ok()) return status;
  absl::StatusOr<Listener> backdoor = Listener::Adopt(inheritance_.backdoor_fd);
  if (!backdoor.ok()) return backdoor.status();
  backdoor_listener_.emplace(*std::move(backdoor));
  status = Keep("backdoor.accept", [this] { return backdoor_.Run(*backdoor_listener_); });
  if (!status.ok()) return status;
  absl::StatusOr<http::Router> router = BuildRouter(config_, application_, Handlers());
  if (!router.ok()) return router.status();
  http::ServerOptions options = HttpOptionsOf(config_.http());
  options.access_log = access_log_;
  http_.emplace(std::move(options), *std::move(router), http_stats_);
  return ServeListeners();
}

absl::Status Worker::ServeListeners() {
  absl::StatusOr<Ingresses> ingresses = Ingresses::Build(config_.http(), inheritance_.ticket_keys);
  if (!ingresses.ok()) return ingresses.status();
  ingresses_.emplace(*std::move(ingresses));
  ingresses_->LogWarnings();
  for (size_t index = 0; index < inheritance_.http_fds.size(); ++index) {
    absl::StatusOr<Listener> listener = Listener::Adopt(inheritance_.http_fds[index]);
    if (!listener.ok()) return listener.status();
    const http::Ingress* ingress = ingresses_->at(static_cast<int>(index));
    absl::Status kept =
        Keep("http.accept", [this, ingress, listener = *std::move(listener)]() mutable {
          return http_->Serve(std::move(listener), ingress);
        });
    if (!kept.ok()) return kept;
  }
  if (!ingresses_->any_tls()) return absl::OkStatus();
  return Keep("http.certificates", [this] {
    absl::Status status;
    while ((status = Sleep(kCertificateCheckPeriod)).ok() &&
           (status = ingresses_->Renew(offload_)).ok()) {
    }
    return status;
  });
}

absl::Status Worker::AnnounceReady() {
  slot_.state.store(metrics::SlotState::kReady, std::memory_order_relaxed);
  absl::Status sent = process::SendReadyLine(inheritance_.ready_fd, process::FormatWorkerReady());
  if (!sent.ok()) return sent;
  Log(LogLevel::kDebug, "worker ready", {{"pid", getpid()}});
  return absl::OkStatus();
}

absl::Status Worker::Run(int signal_fd) {
  Hub& hub = *Hub::Current();
  hub.set_turn_hook([this](Hub& turning) { publisher_.Publish(turning); });
  const auto heartbeat = [] {
    absl::Status slept;
    while ((slept = Sleep(kHeartbeat)).ok()) {
    }
    return slept;
  };
  absl::Status status = WatchSignals(signal_fd);
  if (status.ok()) {
    status = Keep("lifeline", [this] { return process::WatchLifeline(inheritance_.lifeline_fd); });
  }
  if (status.ok()) status = Keep("heartbeat", heartbeat);
  if (status.ok()) status = Serve();
  if (status.ok()) status = periodic_.Start();
  if (status.ok()) status = AnnounceReady();
  if (status.ok()) status = stop_.Wait();
  if (!status.ok() || !why_.ok()) return status.ok() ? why_ : status;
  Drain();
  return absl::OkStatus();
}

void Worker::Drain() {
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
  if (!link_.connected()) return;
  Timeout timeout(kFarewell);
  if (!attempts_.AwaitAcknowledged().ok()) {
    Log(LogLevel::kWarning, "control did not acknowledge all results",
        {{"attempts", attempts_.unacknowledged()}});
  }
}

absl::Status Boot(const process::WorkerInheritance& inheritance, const config::v1::Config& config,
                  const Application& application, metrics::WorkerSlot& slot) {
  absl::StatusOr<int> signals = OpenSignals();
  if (!signals.ok()) return signals.status();
  absl::StatusOr<functions::FetchPolicy> policy =
      functions::FetchPolicy::FromConfig(config.fetch());
  if (!policy.ok()) return policy.status();
  absl::StatusOr<std::unique_ptr<functions::FetchClient>> fetch =
      functions::FetchClient::Create(*std::move(policy));
  if (!fetch.ok()) return fetch.status();
  absl::StatusOr<std::unique_ptr<access_log::AccessLogFile>> access_log =
      access_log::AccessLogFile::Open(config.http().access_log());
  if (!access_log.ok()) return access_log.status();
  HubOptions options;
  options.stack_bytes =
      config.runtime().stack_bytes() > 0 ? config.runtime().stack_bytes() : kStackBytes;
  options.fibers_max = config.runtime().fibers_max();
  absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create(std::move(options));
  if (!hub.ok()) return hub.status();
  Watchdog watchdog(**hub, {.threshold = absl::Milliseconds(config.runtime().stall_report_ms()),
                            .on_stall =
                                [&](const StallReport& report) {
                                  PublishStalls(watchdog.stats(), slot.live);
                                  LogStall(report);
                                },
                            .on_end = LogStallEnd});
  Worker worker(inheritance, config, application, slot, *std::move(fetch), access_log->get(),
                watchdog);
  absl::Status status = watchdog.Start();
  if (status.ok()) status = (*hub)->Run([&]() -> absl::Status { return worker.Run(*signals); });
  watchdog.Stop();
  worker.StopThreads();
  if (*access_log != nullptr) (*access_log)->writer().Stop(kLastLines);
  return status;
}

}  // namespace

int RunWorker(const process::WorkerInheritance& inheritance, const config::v1::Config& config,
              const Application& application, metrics::Scoreboard& scoreboard) {
  RenameLog(absl::StrCat("worker-", inheritance.slot));
  InstallCrashReport();
  const absl::Status status =
      Boot(inheritance, config, application, scoreboard.slot(inheritance.slot));
  if (status.ok()) return process::kExitStopped;
  Log(LogLevel::kError, "the worker fails", {{"error", status.ToString()}});
  return process::kExitCrash;
}

}  // namespace grove::worker
