#include "server/worker/websocket_config.h"

#include <algorithm>
#include <string_view>

#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"

namespace grove::worker {
namespace {

using config::v1::WebSocket;

constexpr std::string_view kAnyOrigin = "*";

// As browsers send it: "https://example.org:8443" (RFC 6454, 6.2).
bool IsOrigin(std::string_view text) {
  if (text == kAnyOrigin || text == "null") return true;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(colon + 3);
  return !host.empty() && host.find_first_of("/*?#@ ,\"") == std::string_view::npos;
}

}  // namespace

absl::Status CheckWebSocketConfig(const std::string& where, const WebSocket& config) {
  for (int i = 0; i < config.origins_size(); ++i) {
    if (IsOrigin(config.origins(i))) continue;
    return absl::InvalidArgumentError(StrCat(
        where, ".origins[", i, "]: '", config.origins(i),
        "' is no origin: want one as in https://app.example.org with nothing behind it, or *"));
  }
  for (int i = 0; i < config.subprotocols_size(); ++i) {
    if (http::IsToken(config.subprotocols(i))) continue;
    return absl::InvalidArgumentError(StrCat(where, ".subprotocols[", i, "]: '",
                                             config.subprotocols(i), "' is no subprotocol's name"));
  }
  return absl::OkStatus();
}

void ApplyWebSocketConfig(const WebSocket& config, http::WebSocketOptions& options) {
  const auto set = [](int64_t milliseconds, absl::Duration* duration) {
    if (milliseconds > 0) *duration = absl::Milliseconds(milliseconds);
  };
  set(config.ping_interval_ms(), &options.ping_interval);
  set(config.pong_timeout_ms(), &options.pong_timeout);
  set(config.close_timeout_ms(), &options.close_timeout);
  if (config.message_max_bytes() > 0) options.limits.message_bytes_max = config.message_max_bytes();
  http::websocket::HandshakePolicy& handshake = options.handshake;
  if (config.compression() == WebSocket::COMPRESSION_NONE) handshake.deflate.reset();
  if (config.compression() == WebSocket::COMPRESSION_DEFLATE && !handshake.deflate.has_value()) {
    handshake.deflate.emplace();
  }
  if (!config.origins().empty()) {
    handshake.origins.assign(config.origins().begin(), config.origins().end());
    const auto any = std::find(handshake.origins.begin(), handshake.origins.end(), kAnyOrigin);
    if (any != handshake.origins.end()) handshake.origins.clear();  // which is: any
  }
  if (!config.subprotocols().empty()) {
    handshake.subprotocols.assign(config.subprotocols().begin(), config.subprotocols().end());
  }
}

}  // namespace grove::worker
