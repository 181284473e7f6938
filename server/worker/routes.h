// BuildRouter: the routes that the config declares, or else the application's, as a Router.
//
// Each stands in its chain of middleware: the default one of all routes, then its own. What the
// config says wrongly comes back with its key, so that `--check` finds it without a worker.
#ifndef GROVE_SERVER_WORKER_ROUTES_H_
#define GROVE_SERVER_WORKER_ROUTES_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "server/application.h"
#include "server/http/handler/middleware.h"
#include "server/http/handler/router.h"
#include "server/http/handler/tenant_gate.h"

namespace grove::worker {

// The handlers of a name.
struct HandlerSource {
  // Asked once for each route that names a folder, else once for each name, with empty settings.
  std::function<http::Handler(const std::string& name, const Application::RouteSettings& route)>
      handler;
  // Of one of Application::websockets(). Asked once for each route, with what the handler's code,
  // http.websocket and the route come to.
  std::function<http::Handler(const std::string& name, http::WebSocketOptions options)> websocket;
  // One of Application::middleware(), of an entry at the key `where`. Asked for each entry.
  std::function<absl::StatusOr<http::Middleware>(const std::string& where,
                                                 const config::v1::OwnMiddleware& entry)>
      middleware;
  // For the middleware that finds out whose a request is; both outlive the router. Without a gate
  // there are no tenants but the config's, and none is bounded.
  http::TenantLabels& labels = http::NoTenantLabels();
  http::TenantGate* gate = nullptr;
};

// Reads the files that bearer_auth names. kInvalidArgument, "http.routes[3].middleware[1]…: …".
// Requires: `config` is resolved.
absl::StatusOr<http::Router> BuildRouter(const config::v1::Config& config,
                                         const Application& application,
                                         const HandlerSource& handlers);

// Tells `report` of everything that is wrong with patterns and chains, each with its key. Handlers
// are not asked for: the application need not have them.
void CheckRoutes(const config::v1::Config& config, const Application& application,
                 const std::function<void(const absl::Status&)>& report);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_ROUTES_H_
