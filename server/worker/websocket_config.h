// ApplyWebSocketConfig: what the config says of WebSockets, as WebSocketOptions.
#ifndef GROVE_SERVER_WORKER_WEBSOCKET_CONFIG_H_
#define GROVE_SERVER_WORKER_WEBSOCKET_CONFIG_H_

#include <string>

#include "absl/status/status.h"
#include "grove/config/v1/config.pb.h"
#include "server/http/websocket/websocket_handler.h"

namespace grove::worker {

// kInvalidArgument, "WHERE.origins[1]: …": an origin that is none, a subprotocol that is no token.
absl::Status CheckWebSocketConfig(const std::string& where, const config::v1::WebSocket& config);

// Overwrites what `config` says, and leaves the rest. Requires: it was checked.
void ApplyWebSocketConfig(const config::v1::WebSocket& config, http::WebSocketOptions& options);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_WEBSOCKET_CONFIG_H_
