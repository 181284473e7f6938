#include "server/worker/routes.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/worker/middleware_chain.h"
#include "server/worker/websocket_config.h"

namespace grove::worker {
namespace {

// What stands in front of a route.
struct Chain {
  std::vector<http::Middleware> middleware;
  bool answers_preflight = false;

  void Append(const Chain& other) {
    middleware.insert(middleware.end(), other.middleware.begin(), other.middleware.end());
    answers_preflight |= other.answers_preflight;
  }
};

// Told of each thing that is wrong, which is then left out.
using Report = std::function<void(const absl::Status&)>;

class RouterBuilder {
 public:
  RouterBuilder(const config::v1::Config& config, const Application& application,
                const HandlerSource& handlers, const Report& report)
      : config_(config), application_(application), handlers_(handlers), report_(report) {}

  http::Router Build() {
    Begin();
    for (int i = 0; i < config_.http().routes_size(); ++i) AddConfigured(i);
    if (config_.http().routes_size() == 0) {
      for (const Application::Route& route : application_.routes()) AddOwn(route);
    }
    return std::move(router_);
  }

 private:
  void Begin() {
    default_ = MakeChain("http.middleware", config_.http().middleware());
    Check(CheckWebSocketConfig("http.websocket", config_.http().websocket()));
    if (default_.middleware.empty()) return;
    router_.Wrap([chain = default_.middleware](http::Request& request, http::Response& response,
                                               const http::Handler& next) {
      return http::Compose(chain, next)(request, response);
    });
  }

  void Check(const absl::Status& status) {
    if (!status.ok()) report_(status);
  }

  Chain MakeChain(const std::string& where,
                  const google::protobuf::RepeatedPtrField<config::v1::Middleware>& entries) {
    Chain chain;
    for (int i = 0; i < entries.size(); ++i) {
      const std::string key = absl::StrCat(where, "[", i, "]");
      absl::StatusOr<http::Middleware> made =
          entries[i].has_own()
              ? handlers_.middleware(key + ".own", entries[i].own())
              : MakeMiddleware(key, entries[i], config_, handlers_.labels, handlers_.gate);
      Check(made.status());
      if (!made.ok()) continue;
      chain.middleware.push_back(*std::move(made));
      chain.answers_preflight |= entries[i].has_cors();
    }
    return chain;
  }

  void AddConfigured(int index) {
    const config::v1::Route& route = config_.http().routes(index);
    const std::string where = absl::StrCat("http.routes[", index, "]");
    Check(CheckWebSocketConfig(where + ".websocket", route.websocket()));
    const Chain own = MakeChain(where + ".middleware", route.middleware());
    Chain chain;
    if (!route.own_middleware_only()) chain = default_;
    chain.Append(own);
    Add(where, route, chain);
  }

  void AddOwn(const Application::Route& route) {
    config::v1::Route own;
    own.set_method(route.method);
    own.set_path(route.path);
    own.set_function(route.handler);
    Add("the application", own, default_);
  }

  http::Handler HandlerOf(const config::v1::Route& route) {
    const auto socket = application_.websockets().find(route.function());
    if (socket != application_.websockets().end()) {
      http::WebSocketOptions options = socket->second.options;
      ApplyWebSocketConfig(config_.http().websocket(), options);
      ApplyWebSocketConfig(route.websocket(), options);
      return handlers_.websocket(route.function(), std::move(options));
    }
    if (!route.folder().empty()) {
      return handlers_.handler(route.function(), {.path = route.path(), .folder = route.folder()});
    }
    auto [handler, added] = known_.try_emplace(route.function());
    if (added) handler->second = handlers_.handler(route.function(), {});
    return handler->second;
  }

  void Add(const std::string& where, const config::v1::Route& route, const Chain& chain) {
    absl::Status status = router_.Add({.method = route.method(),
                                       .host = route.host(),
                                       .path = route.path(),
                                       .handler = http::Compose(chain.middleware, HandlerOf(route)),
                                       .answers_preflight = chain.answers_preflight});
    if (status.ok()) return;
    report_(absl::InvalidArgumentError(absl::StrCat(where, ": ", status.message())));
  }

  const config::v1::Config& config_;
  const Application& application_;
  const HandlerSource& handlers_;
  const Report& report_;
  http::Router router_;
  Chain default_;
  std::map<std::string, http::Handler> known_;
};

}  // namespace

absl::StatusOr<http::Router> BuildRouter(const config::v1::Config& config,
                                         const Application& application,
                                         const HandlerSource& handlers) {
  absl::Status first;
  const Report report = [&first](const absl::Status& status) { first.Update(status); };
  http::Router router = RouterBuilder(config, application, handlers, report).Build();
  if (!first.ok()) return first;
  return router;
}

void CheckRoutes(const config::v1::Config& config, const Application& application,
                 const std::function<void(const absl::Status&)>& report) {
  // They are never called.
  const auto never = [](const auto&...) -> http::Handler {
    return [](http::Request&, http::Response&) { return absl::OkStatus(); };
  };
  const auto pass = [](const auto&...) -> absl::StatusOr<http::Middleware> {
    return [](http::Request& request, http::Response& response, const http::Handler& next) {
      return next(request, response);
    };
  };
  const HandlerSource handlers{.handler = never, .websocket = never, .middleware = pass};
  RouterBuilder(config, application, handlers, report).Build();
}

}  // namespace grove::worker
