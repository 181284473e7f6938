#include "server/admin/gate.h"

#include <optional>
#include <string>

#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"
#include "server/log.h"

namespace grove::admin {

absl::StatusOr<std::unique_ptr<AdminGate>> AdminGate::Create(const config::v1::Admin& config) {
  std::unique_ptr<AdminGate> gate(new AdminGate(config.connections_max() / kDelayedShare));
  for (const config::v1::Token& token : config.tokens()) {
    absl::StatusOr<std::string> secret = config::ReadSecretFile(token.secret_file());
    if (!secret.ok()) {
      return absl::InvalidArgumentError(
          StrCat("admin.tokens: token '", token.name(), "': ", secret.status().message()));
    }
    gate->tokens_.Add(token.name(), *secret);
    gate->has_tokens_ = true;
  }
  return gate;
}

http::Middleware AdminGate::middleware() {
  if (!has_tokens_) return {};
  return http::BearerAuth(tokens_, "Grove's admin port",
                          [this](const http::Request& request) { Hold(request); });
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
