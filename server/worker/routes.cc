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

absl::StatusOr<Chain> MakeChain(
    const std::string& where,
    const google::protobuf::RepeatedPtrField<config::v1::Middleware>& entries,
    const config::v1::Config& config) {
  Chain chain;
  for (int i = 0; i < entries.size(); ++i) {
    absl::StatusOr<http::Middleware> made =
        MakeMiddleware(absl::StrCat(where, "[", i, "]"), entries[i], config);
    if (!made.ok()) return made.status();
    chain.middleware.push_back(*std::move(made));
    chain.answers_preflight |= entries[i].has_cors();
  }
  return chain;
}

class RouterBuilder {
 public:
  RouterBuilder(const config::v1::Config& config, const Application& application,
                const HandlerSource& handlers)
      : config_(config), application_(application), handlers_(handlers) {}

  absl::Status Begin() {
    absl::StatusOr<Chain> chain =
        MakeChain("http.middleware", config_.http().middleware(), config_);
    if (!chain.ok()) return chain.status();
    absl::Status checked = CheckWebSocketConfig("http.websocket", config_.http().websocket());
    if (!checked.ok()) return checked;
    default_ = *std::move(chain);
    if (default_.middleware.empty()) return absl::OkStatus();
    router_.Wrap([chain = default_.middleware](http::Request& request, http::Response& response,
                                               const http::Handler& next) {
      return http::Compose(chain, next)(request, response);
    });
    return absl::OkStatus();
  }

  absl::Status AddConfigured(int index) {
    const config::v1::Route& route = config_.http().routes(index);
    const std::string where = absl::StrCat("http.routes[", index, "]");
    absl::Status checked = CheckWebSocketConfig(where + ".websocket", route.websocket());
    if (!checked.ok()) return checked;
    absl::StatusOr<Chain> own = MakeChain(where + ".middleware", route.middleware(), config_);
    if (!own.ok()) return own.status();
    Chain chain;
    if (!route.own_middleware_only()) chain = default_;
    chain.Append(*own);
    return Add(where, route, chain);
  }

  absl::Status AddOwn(const Application::Route& route) {
    config::v1::Route own;
    own.set_method(route.method);
    own.set_path(route.path);
    own.set_function(route.handler);
    return Add("the application", own, default_);
  }

  http::Router Take() { return std::move(router_); }

 private:
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

  absl::Status Add(const std::string& where, const config::v1::Route& route, const Chain& chain) {
    absl::Status status = router_.Add({.method = route.method(),
                                       .host = route.host(),
                                       .path = route.path(),
                                       .handler = http::Compose(chain.middleware, HandlerOf(route)),
                                       .answers_preflight = chain.answers_preflight});
    if (status.ok()) return status;
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", status.message()));
  }

  const config::v1::Config& config_;
  const Application& application_;
  const HandlerSource& handlers_;
  http::Router router_;
  Chain default_;
  std::map<std::string, http::Handler> known_;
};

}  // namespace

absl::StatusOr<http::Router> BuildRouter(const config::v1::Config& config,
                                         const Application& application,
                                         const HandlerSource& handlers) {
  RouterBuilder builder(config, application, handlers);
  if (absl::Status s = builder.Begin(); !s.ok()) return s;
  for (int i = 0; i < config.http().routes_size(); ++i) {
    if (absl::Status s = builder.AddConfigured(i); !s.ok()) return s;
  }
  if (config.http().routes_size() > 0) return builder.Take();
  for (const Application::Route& route : application.routes()) {
    if (absl::Status s = builder.AddOwn(route); !s.ok()) return s;
  }
  return builder.Take();
}

}  // namespace grove::worker
