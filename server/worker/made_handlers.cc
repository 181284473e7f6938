#include "server/worker/made_handlers.h"

namespace grove::worker {

HandlerSource MadeHandlers::Source() {
  return {.handler = [this](const std::string& name,
                            const Application::RouteSettings& route) { return Find(name, route); },
          .websocket =
              [this](const std::string& name, http::WebSocketOptions options) {
                auto [made, is_new] = websockets_.try_emplace(name);
                if (is_new) made->second = application_.websockets().at(name).factory(services_);
                options.budget = &websocket_budget_;
                return http::WebSocketHandler(std::move(options), made->second);
              },
          .labels = services_.tenants};
}

http::Handler MadeHandlers::Find(const std::string& name, const Application::RouteSettings& route) {
  const auto of_folder = application_.folder_handlers().find(name);
  if (of_folder != application_.folder_handlers().end()) {
    auto [made, is_new] = of_folders_.try_emplace({name, {route.path, route.folder}});
    if (is_new) made->second = of_folder->second(services_, route);
    return made->second;
  }
  auto [made, is_new] = by_name_.try_emplace(name);
  if (is_new) made->second = application_.handlers().at(name)(services_);
  return made->second;
}

}  // namespace grove::worker
