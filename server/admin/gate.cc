#include "server/admin/gate.h"

#include <optional>
#include <string>

#include "runtime/hub/hub.h"
#include "server/http/middleware/bearer_auth.h"
#include "server/log.h"
#include "server/tenancy/config_tokens.h"
#include "server/wall_time.h"

namespace grove::admin {

absl::StatusOr<std::unique_ptr<AdminGate>> AdminGate::Create(const config::v1::Admin& config) {
  std::unique_ptr<AdminGate> gate(new AdminGate(config.connections_max() / kDelayedShare));
  absl::Status added = tenancy::AddConfigTokens("admin.tokens", config.tokens(), gate->tokens_);
  if (!added.ok()) return added;
  return gate;
}

http::Middleware AdminGate::middleware() {
  if (tokens_.size() == 0) return {};
  return http::BearerAuth(
      [this](std::string_view secret, http::Request& request) { return Accept(secret, request); },
      "Grove's admin port", [this](const http::Request& request) { Hold(request); });
}

bool AdminGate::Accept(std::string_view secret, http::Request& request) const {
  const tenancy::PrincipalPtr caller = tokens_.Find(secret, WallNow()).principal;
  if (caller == nullptr) return false;
  // The book keeps it: nothing is revoked here.
  request.context.token = caller->name;
  request.context.tenant = caller->tenant;
  return true;
}

void AdminGate::Hold(const http::Request& request) {
  ++refused_;
  if (const std::optional<int64_t> requests = line_.Admit()) {
    Log(LogLevel::kWarning, "requests of the admin port without a right token are refused",
        {{"peer", request.peer}, {"path", request.path}, {"requests", *requests}});
  }
  if (delayed_ >= delayed_max_) return;
  ++delayed_;
  Sleep(kRefusedAnswerDelay).IgnoreError();
  --delayed_;
}

}  // namespace grove::admin
