#include "server/worker/made_handlers.h"

#include "server/read_settings.h"
#include "server/worker/guarded.h"

namespace grove::worker {

HandlerSource MadeHandlers::Source() {
  return {.handler = [this](const std::string& name,
                            const Application::RouteSettings& route) { return Find(name, route); },
          .websocket =
              [this](const std::string& name, http::WebSocketOptions options) {
                return FindWebSocket(name, std::move(options));
              },
          .middleware =
              [this](const std::string& where, const config::v1::OwnMiddleware& entry) {
                return Middleware(where, entry);
              },
          .labels = services_.tenants};
}

http::Handler MadeHandlers::Find(const std::string& name, const Application::RouteSettings& route) {
  const auto of_folder = application_.folder_handlers().find(name);
  const bool is_of_folder = of_folder != application_.folder_handlers().end();
  http::Handler& place =
      is_of_folder ? of_folders_[{name, {route.path, route.folder}}] : by_name_[name];
  if (place != nullptr) return place;
  absl::StatusOr<http::Handler> made =
      Guarded(absl::StrCat("the factory of handler \"", name, "\""), [&] {
        return is_of_folder ? of_folder->second(services_, route)
                            : application_.handlers().at(name)(services_);
      });
  if (made.ok()) return place = *std::move(made);
  failure_.Update(made.status());
  return [](http::Request&, http::Response&) { return absl::OkStatus(); };  // of no router
}

http::Handler MadeHandlers::FindWebSocket(const std::string& name, http::WebSocketOptions options) {
  http::WebSocketFunction& place = websockets_[name];
  if (place == nullptr) {
    absl::StatusOr<http::WebSocketFunction> made =
        Guarded(absl::StrCat("the factory of handler \"", name, "\""),
                [&] { return application_.websockets().at(name).factory(services_); });
    failure_.Update(made.status());
    if (made.ok()) place = *std::move(made);
  }
  options.budget = &websocket_budget_;
  return http::WebSocketHandler(std::move(options), place);
}

absl::StatusOr<http::Middleware> MadeHandlers::Middleware(const std::string& where,
                                                          const config::v1::OwnMiddleware& entry) {
  const auto found = application_.middleware().find(entry.name());
  if (found == application_.middleware().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ".name: no middleware \"", entry.name(), "\""));
  }
  const Settings options = SettingsOf(found->second.options, entry.options());
  const auto fail = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(where, ": ", status.message()));
  };
  absl::Status refused;
  absl::StatusOr<http::Middleware> made = Guarded(
      absl::StrCat("the factory of middleware \"", entry.name(), "\""), [&]() -> http::Middleware {
        absl::StatusOr<http::Middleware> of_factory = found->second.factory(services_, options);
        refused = of_factory.status();
        return of_factory.ok() ? *std::move(of_factory) : nullptr;
      });
  if (!refused.ok()) return fail(refused);
  if (!made.ok()) return fail(made.status());
  return made;
}

}  // namespace grove::worker
