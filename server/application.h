// Application: what a user's program registers: functions, schedules, HTTP handlers, middleware,
// periodic work, hooks, values and commands, settings, metrics, and pools for what blocks.
//
// Fill one in main() and hand it to Main() (server/main.h). Everything registered runs on fibers of
// the worker processes. A worker begins with the start hooks, in their order; then the factories
// make functions and handlers, once in each worker; then it serves. It ends, once it has drained,
// with the stop hooks, the last one first. docs/application.md tells it at length.
#ifndef GROVE_SERVER_APPLICATION_H_
#define GROVE_SERVER_APPLICATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/function.h"
#include "server/http/handler/handler.h"
#include "server/http/handler/middleware.h"
#include "server/http/websocket/websocket_handler.h"
#include "server/own_metrics.h"
#include "server/schedule_options.h"
#include "server/settings.h"
#include "server/task_client.h"
#include "server/work_pools.h"

namespace grove {

// Which may be longer for each hook.
inline constexpr absl::Duration kStartHookTimeout = absl::Seconds(10);
inline constexpr absl::Duration kStopHookTimeout = absl::Seconds(5);
// Below what the supervisor waits for a worker to take a config over.
inline constexpr absl::Duration kReloadHookTimeout = absl::Seconds(5);

class Application {
 public:
  using HandlerFactory = std::function<http::Handler(WorkerServices&)>;
  // What a route says to its handler beyond the name.
  struct RouteSettings {
    std::string path;    // the pattern
    std::string folder;  // of the config; absolute
  };
  using FolderHandlerFactory = std::function<http::Handler(WorkerServices&, const RouteSettings&)>;
  using FunctionFactory = std::function<Function(WorkerServices&)>;
  // Of the options that an entry of the config's chain has, as the middleware has declared them. An
  // error is one of that entry. Runs whenever routes are made: at the start and at each reload.
  using MiddlewareFactory =
      std::function<absl::StatusOr<http::Middleware>(WorkerServices&, const Settings& options)>;
  struct MiddlewareEntry {
    MiddlewareFactory factory;
    SettingsSchema options;
  };
  using Hook = std::function<absl::Status(WorkerServices&)>;
  // `now`: what is to be in force; `services.settings` is what has been.
  using ReloadHook = std::function<absl::Status(WorkerServices&, const Settings& now)>;
  struct HookEntry {
    std::string name;
    Hook hook;
    absl::Duration timeout;
  };
  struct ReloadHookEntry {
    std::string name;
    ReloadHook hook;
  };
  using Inspection =
      std::function<absl::StatusOr<std::string>(WorkerServices&, std::string_view argument)>;
  // A value is looked at, a command changes something.
  enum class InspectionKind : uint8_t { kValue, kCommand };
  struct InspectionEntry {
    InspectionKind kind;
    std::string description;
    Inspection inspection;
  };
  struct ScheduleEntry {
    std::string id;
    ScheduleOptions options;
    SpawnRequest task;
  };
  using WebSocketFactory = std::function<http::WebSocketFunction(WorkerServices&)>;
  // A WebSocket handler by its function, so that the config can have a say in its options.
  struct WebSocketEntry {
    WebSocketFactory factory;
    http::WebSocketOptions options;
  };
  using Interval = std::function<absl::Duration()>;
  using PeriodicBody = std::function<absl::Status(WorkerServices&)>;

  enum class PeriodicScope {
    kOneWorker,  // in worker 0 alone
    kEachWorker,
  };
  struct Periodic {
    std::string name;
    Interval interval;  // asked after the flags are parsed
    PeriodicScope scope;
    PeriodicBody body;
  };
  struct Route {
    std::string method;  // empty: any
    std::string path;    // server/http/handler/route_pattern.h
    std::string handler;
  };
  struct FunctionEntry {
    Function function;
    FunctionOptions options;
    FunctionFactory factory = nullptr;  // makes `function` in each worker
  };

  explicit Application(std::string name);

  // Tasks may name it from now on. Names as in DNS, with dots: "mail.send". Requires: not taken.
  void AddFunction(std::string name, Function function, FunctionOptions options = {});
  // The same with state of its worker, which the factory makes.
  void AddFunctionFactory(std::string name, FunctionFactory factory, FunctionOptions options = {});
  // A handler under a name that routes, here or in the config, refer to.
  void AddHandler(std::string name, http::Handler handler);
  void AddHandlerFactory(std::string name, HandlerFactory factory);
  // A handler whose routes, in the config, each name a `folder`. Runs once for each of them in each
  // worker.
  void AddFolderHandlerFactory(std::string name, FolderHandlerFactory factory);
  // A WebSocket handler. The config's `http.websocket`, and `websocket` of its route, beat
  // `options`, key by key.
  void AddWebSocket(std::string name, http::WebSocketFunction function,
                    http::WebSocketOptions options = {});
  void AddWebSocketFactory(std::string name, WebSocketFactory factory,
                           http::WebSocketOptions options = {});
  // Serves `path` with a handler added before or after. The config's `http.routes` replace these.
  void AddRoute(std::string method, std::string path, std::string handler);
  // AddHandler and AddRoute in one, named after the path.
  void Handle(std::string method, std::string path, http::Handler handler);
  // AddWebSocket and AddRoute in one, named after the path.
  void HandleWebSocket(std::string path, http::WebSocketFunction function,
                       http::WebSocketOptions options = {});
  // Runs `body` every `interval`, the first time one interval after the worker is ready; the next
  // run is due a fixed interval after the last one was, and never overlaps it. Errors are logged.
  void AddPeriodic(std::string name, absl::Duration interval, PeriodicBody body,
                   PeriodicScope scope = PeriodicScope::kOneWorker);

  // As above, with an interval that is not known before the flags are parsed.
  void AddPeriodic(std::string name, Interval interval, PeriodicBody body,
                   PeriodicScope scope = PeriodicScope::kOneWorker);

  // A durable schedule `tenants/TENANT/schedules/ID`, which the daemon makes at its start, changes
  // in place where the code says another thing than before, and pauses once the code has it no
  // more. The task is as for a spawn, without request_id, delay, after and child
  // (docs/schedules.md#in-code).
  void AddSchedule(std::string id, ScheduleOptions options, SpawnRequest task);

  // An entry `- own: {name: NAME, options: {…}}` of the config's chains (docs/http.md).
  void AddMiddleware(std::string name, MiddlewareFactory factory, SettingsSchema options = {});

  // Runs in each worker before it serves: what it opens is there for every factory, handler and
  // function. An error, an exception or the time-out is the end of the worker, and as at every
  // start that fails, of the daemon that has just begun (exit code 4) or of the reload. Tasks
  // cannot be spawned yet: the link to control comes later.
  void OnStart(std::string name, Hook hook, absl::Duration timeout = kStartHookTimeout);
  // Runs in each worker that has started, once nothing else of the application does. What fails is
  // logged. All have until the end of drain_timeout_ms, and a second at least.
  void OnStop(std::string name, Hook hook, absl::Duration timeout = kStopHookTimeout);
  // Runs in each worker when a reload changes the settings. An error refuses: the reload has failed
  // with its message, nothing has changed, and workers that had accepted are asked once more, to go
  // back. All have kReloadHookTimeout.
  void OnReload(std::string name, ReloadHook hook);

  // What the application tells of each worker: /debug/app on the admin port shows it, and
  // app("NAME", "ARGUMENT") in the backdoor: its answer is printed, its error is the line's.
  // Changes nothing: a page that is loaded again and again asks for it with an empty argument. Must
  // not park, and be short.
  void AddValue(std::string name, std::string description, Inspection value);
  // The same of what changes something (drops a cache): in the backdoor alone, whose sessions are
  // for who may debug, with every line in the audit log. The page lists it.
  void AddCommand(std::string name, std::string description, Inspection command);

  // The config's section `application`. Declare before Main().
  SettingsSchema& settings() { return settings_; }
  const SettingsSchema& settings() const { return settings_; }
  // Shown on /metrics beside the daemon's. Register before Main().
  OwnMetrics& metrics() { return metrics_; }
  const OwnMetrics& metrics() const { return metrics_; }
  // Threads, or processes, of its own for a kind of blocking work, in each worker: found by name in
  // WorkerServices::pools. The options' name is a function's, and not taken; at most kWorkPoolsMax
  // pools.
  void AddOffloadPool(OffloadPool::Options options);
  void AddProcessPool(ProcessPoolOptions options);

  // What was registered wrongly (a route to an unknown handler, a name twice); OK if nothing.
  absl::Status Check() const;

  const std::string& name() const { return name_; }
  // When it was made, in nanoseconds since the machine's boot: of two programs the later one is the
  // newer.
  int64_t made_at_ns() const { return made_at_ns_; }
  const std::map<std::string, FunctionEntry>& functions() const { return functions_; }
  const std::map<std::string, HandlerFactory>& handlers() const { return handlers_; }
  const std::map<std::string, FolderHandlerFactory>& folder_handlers() const {
    return folder_handlers_;
  }
  const std::map<std::string, WebSocketEntry>& websockets() const { return websockets_; }
  const std::vector<Route>& routes() const { return routes_; }
  const std::vector<Periodic>& periodic() const { return periodic_; }
  const std::vector<ScheduleEntry>& schedules() const { return schedules_; }
  const std::map<std::string, MiddlewareEntry>& middleware() const { return middleware_; }
  const std::map<std::string, InspectionEntry>& inspections() const { return inspections_; }
  const std::vector<HookEntry>& start_hooks() const { return start_hooks_; }
  const std::vector<HookEntry>& stop_hooks() const { return stop_hooks_; }
  const std::vector<ReloadHookEntry>& reload_hooks() const { return reload_hooks_; }
  const WorkPoolOptions& work_pools() const { return work_pools_; }

 private:
  // Notes what is wrong with adding a handler of that name.
  void CheckHandler(const std::string& name, bool empty);
  void AddFunctionEntry(std::string name, FunctionEntry entry);
  void AddHook(std::string_view kind, HookEntry entry, std::vector<HookEntry>& hooks);
  void AddInspection(std::string name, InspectionEntry entry);
  // The same of a pool.
  void CheckPool(const std::string& name, std::string_view what, int size);

  const std::string name_;
  const int64_t made_at_ns_;
  std::map<std::string, FunctionEntry> functions_;
  std::map<std::string, HandlerFactory> handlers_;
  std::map<std::string, FolderHandlerFactory> folder_handlers_;
  std::map<std::string, WebSocketEntry> websockets_;
  std::vector<Route> routes_;
  std::vector<Periodic> periodic_;
  std::vector<ScheduleEntry> schedules_;
  std::map<std::string, MiddlewareEntry> middleware_;
  std::map<std::string, InspectionEntry> inspections_;
  std::vector<HookEntry> start_hooks_;
  std::vector<HookEntry> stop_hooks_;
  std::vector<ReloadHookEntry> reload_hooks_;
  SettingsSchema settings_;
  OwnMetrics metrics_;
  WorkPoolOptions work_pools_;
  std::vector<std::string> mistakes_;
};

}  // namespace grove

#endif  // GROVE_SERVER_APPLICATION_H_
