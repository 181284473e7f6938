// MadeHandlers: the handlers of an application, each made once in this worker.
//
// Routes may be replaced while the worker serves (reloads); what a factory has made, with its
// state, stands behind the new ones too. Middleware is made anew, since its options may be others.
// What a factory throws comes back as an error that names it. Hub thread only.
#ifndef GROVE_SERVER_WORKER_MADE_HANDLERS_H_
#define GROVE_SERVER_WORKER_MADE_HANDLERS_H_

#include <map>
#include <string>
#include <utility>

#include "http/websocket/message_budget.h"
#include "server/application.h"
#include "server/worker/routes.h"

namespace grove::worker {

class MadeHandlers {
 public:
  // All must outlive it.
  MadeHandlers(const Application& application, WorkerServices& services,
               http::websocket::MessageBudget& websocket_budget)
      : application_(application), services_(services), websocket_budget_(websocket_budget) {}

  // For BuildRouter(), as often as routes are built. Must not outlive this.
  HandlerSource Source();
  // What became of the factories that were asked since this was last called.
  absl::Status TakeFailure() { return std::exchange(failure_, absl::OkStatus()); }

 private:
  http::Handler FindWebSocket(const std::string& name, http::WebSocketOptions options);
  absl::StatusOr<http::Middleware> Middleware(const std::string& where,
                                              const config::v1::OwnMiddleware& entry);
  http::Handler Find(const std::string& name, const Application::RouteSettings& route);

  const Application& application_;
  WorkerServices& services_;
  http::websocket::MessageBudget& websocket_budget_;
  std::map<std::string, http::Handler> by_name_;
  // By the name, the route's path and its folder.
  std::map<std::pair<std::string, std::pair<std::string, std::string>>, http::Handler> of_folders_;
  std::map<std::string, http::WebSocketFunction> websockets_;
  absl::Status failure_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_MADE_HANDLERS_H_
