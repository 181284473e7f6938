// Application: what a user's program registers: functions, HTTP handlers, periodic work, and pools
// for what blocks.
//
// Fill one in main() and hand it to Main() (server/main.h). Everything registered runs on fibers of
// the worker processes. Factories run once in each worker, after the fork.
#ifndef GROVE_SERVER_APPLICATION_H_
#define GROVE_SERVER_APPLICATION_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/function.h"
#include "server/http/handler/handler.h"
#include "server/http/websocket/websocket.h"
#include "server/work_pools.h"

namespace grove {

class Application {
 public:
  using HandlerFactory = std::function<http::Handler(WorkerServices&)>;
  // What a route says to its handler beyond the name.
  struct RouteSettings {
    std::string path;    // the pattern
    std::string folder;  // of the config; absolute
  };
  using FolderHandlerFactory = std::function<http::Handler(WorkerServices&, const RouteSettings&)>;
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
  };

  explicit Application(std::string name) : name_(std::move(name)) {}

  // Tasks may name it from now on. Names as in DNS, with dots: "mail.send". Requires: not taken.
  void AddFunction(std::string name, Function function, FunctionOptions options = {});
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

  // Threads, or processes, of its own for a kind of blocking work, in each worker: found by name in
  // WorkerServices::pools. The options' name is a function's, and not taken; at most kWorkPoolsMax
  // pools.
  void AddOffloadPool(OffloadPool::Options options);
  void AddProcessPool(ProcessPoolOptions options);

  // What was registered wrongly (a route to an unknown handler, a name twice); OK if nothing.
  absl::Status Check() const;

  const std::string& name() const { return name_; }
  const std::map<std::string, FunctionEntry>& functions() const { return functions_; }
  const std::map<std::string, HandlerFactory>& handlers() const { return handlers_; }
  const std::map<std::string, FolderHandlerFactory>& folder_handlers() const {
    return folder_handlers_;
  }
  const std::map<std::string, WebSocketEntry>& websockets() const { return websockets_; }
  const std::vector<Route>& routes() const { return routes_; }
  const std::vector<Periodic>& periodic() const { return periodic_; }
  const WorkPoolOptions& work_pools() const { return work_pools_; }

 private:
  // Notes what is wrong with adding a handler of that name.
  void CheckHandler(const std::string& name, bool empty);
  // The same of a pool.
  void CheckPool(const std::string& name, std::string_view what, int size);

  const std::string name_;
  std::map<std::string, FunctionEntry> functions_;
  std::map<std::string, HandlerFactory> handlers_;
  std::map<std::string, FolderHandlerFactory> folder_handlers_;
  std::map<std::string, WebSocketEntry> websockets_;
  std::vector<Route> routes_;
  std::vector<Periodic> periodic_;
  WorkPoolOptions work_pools_;
  std::vector<std::string> mistakes_;
};

}  // namespace grove

#endif  // GROVE_SERVER_APPLICATION_H_
