// WorkerParts: everything that a worker consists of, from the first fiber to the end of the drain.
//
// Puts HTTP server, attempts, link, backdoor and periodic work together and joins their lives: all
// serve until SIGTERM, or until one that the worker cannot do without has failed; then each drains.
// Outlives the hub's run, since fibers of any part may end last. Hub thread only.
#ifndef GROVE_SERVER_WORKER_WORKER_PARTS_H_
#define GROVE_SERVER_WORKER_WORKER_PARTS_H_

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "grove/config/v1/config.pb.h"
#include "http/client/http_client.h"
#include "http/websocket/message_budget.h"
#include "runtime/dns/resolver.h"
#include "runtime/io/listener.h"
#include "runtime/offload/offload.h"
#include "runtime/sync/event.h"
#include "runtime/watch/watchdog.h"
#include "server/access_log/access_log_file.h"
#include "server/application.h"
#include "server/backdoor/backdoor.h"
#include "server/functions/fetch.h"
#include "server/http/serving/server.h"
#include "server/metrics/own_cells.h"
#include "server/metrics/route_cells.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/work_pool_cells.h"
#include "server/process/child_channel.h"
#include "server/process/inheritance.h"
#include "server/shared/locks.h"
#include "server/shared/table.h"
#include "server/topics/exchange.h"
#include "server/worker/application_desk.h"
#include "server/worker/attempts.h"
#include "server/worker/backdoor_listener.h"
#include "server/worker/control_link.h"
#include "server/worker/hooks.h"
#include "server/worker/ingresses.h"
#include "server/worker/linked_task_client.h"
#include "server/worker/made_handlers.h"
#include "server/worker/periodic.h"
#include "server/worker/publisher.h"
#include "server/worker/shared_origins.h"
#include "server/worker/tenant_quotas.h"
#include "server/worker/worker_tracing.h"

namespace grove::worker {

class WorkerParts {
 public:
  WorkerParts(const process::WorkerInheritance& inheritance, const config::v1::Config& config,
              const Application& application, metrics::Scoreboard& scoreboard,
              std::unique_ptr<functions::FetchClient> fetch, access_log::AccessLogFile* access_log,
              const Watchdog& watchdog);

  // The main fiber: serves until told to stop, then drains. An error: what the worker cannot do
  // without, at the start or later. **Parks.**
  absl::Status Run();
  // Once the hub has ended.
  void StopThreads() {
    offload_.Stop();
    pools_.StopThreads();
  }

 private:
  backdoor::BackdoorEnvironment BackdoorEnvironmentOf();
  absl::Status WatchSignals();
  absl::Status Serve();
  // What others of this user come by.
  absl::Status ServeBackdoor();
  absl::Status ServeLink();
  absl::Status ServeTopics();
  // Slots of workers that may have subscribers.
  std::vector<int> LiveSlots() const;
  absl::Status ServeListeners();
  // The next few of the workers that share the listeners.
  std::vector<http::WorkerLoad> OtherWorkers() const;
  absl::Status AnnounceReady();
  http::ServerOptions HttpOptions(const config::v1::Config& config);
  absl::StatusOr<http::Router> RouterOf(const config::v1::Config& config);
  // Answers with what has become of it.
  void Apply(const internal::v1::ApplyConfig& wanted);
  // What can change in place. An error: what of it did not; `refused`: nothing did, since the
  // application's code is against it.
  absl::Status TakeOver(const config::v1::Config& config, bool& refused);
  void Drain();
  // If the config says where spans go. Before anything that makes some.
  absl::Status StartTracing();
  // Opens the application's pools. Before anything that may use them.
  absl::Status OpenPools();
  // From the first fiber to the end of the drain.
  absl::Status RunParts();
  // Runs `body` on a fiber that the worker cannot do without.
  template <typename F>
  absl::Status Keep(std::string_view name, F body);

  const process::WorkerInheritance inheritance_;
  const config::v1::Config& started_with_;
  config::v1::Config config_;  // in force
  const Application& application_;
  const metrics::Scoreboard& scoreboard_;
  metrics::WorkerSlot& slot_;
  const std::unique_ptr<functions::FetchClient> fetch_;
  access_log::AccessLogFile* const access_log_;  // null: none
  std::unique_ptr<WorkerTracing> tracing_;       // null: nothing is told
  OffloadPool offload_;
  WorkPools pools_;
  metrics::WorkPoolCells pool_cells_;
  LinkedTaskClient tasks_;
  http::TenantLabels tenants_;
  TenantQuotas quotas_;
  SharedOrigins origins_;
  Settings settings_;
  topics::Exchange topics_;
  shared::Table table_;
  shared::Locks locks_;
  const std::unique_ptr<http::HttpClient> http_client_;
  const std::unique_ptr<Resolver> resolver_;
  WorkerServices services_;
  metrics::OwnCells own_cells_;
  http::ServerStats http_stats_;
  metrics::RouteCells route_cells_;
  http::RouteStats route_stats_;
  http::websocket::MessageBudget websocket_budget_;
  MadeHandlers handlers_;               // outlives the server
  std::optional<Ingresses> ingresses_;  // outlives the server
  std::optional<http::Server> http_;
  std::optional<Listener> link_listener_;
  std::optional<Listener> backdoor_listener_;
  // The application's, and those that every worker has.
  Attempts::Functions functions_;
  Hooks hooks_;
  Attempts attempts_;
  ApplicationDesk desk_{application_, services_, http_};
  ControlLink link_;
  PeriodicWork periodic_;
  const Watchdog& watchdog_;
  Publisher publisher_;
  BackdoorListener backdoor_;
  process::ChildChannel commands_{
      {.apply_config = [this](const internal::v1::ApplyConfig& wanted) { Apply(wanted); }}};
  // Why it stops: OK when told to.
  absl::Status why_;
  Event stop_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_WORKER_PARTS_H_
