// A WebSocket client for tests that are the server: echoes what it is sent, connection after
// connection, until a handshake is refused.
//
// usage: websocket_peer URL
// A line for each connection: what it agreed on, and how it ended.
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "http/client/websocket_client.h"
#include "runtime/hub/hub.h"

namespace {

using grove::http::ClientWebSocket;

absl::Status Echo(ClientWebSocket& socket) {
  for (;;) {
    absl::StatusOr<std::optional<grove::http::Message>> message = socket.Receive();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    absl::Status sent = socket.Send((*message)->type, (*message)->payload);
    if (!sent.ok()) return sent;
  }
}

absl::Status EchoAll(grove::http::HttpClient& client, const char* url) {
  for (;;) {
    grove::http::ConnectOptions options;
    options.subprotocols = {"chat", "echo"};
    // As websocket.echo.
    options.session.limits.message_bytes_max = uint64_t{16} << 20;
    auto socket = grove::http::websocket::Connect(client, url, options);
    if (absl::IsNotFound(socket.status())) return absl::OkStatus();
    if (!socket.ok()) return socket.status();
    const absl::Status ended = Echo(**socket);
    const std::string agreed = absl::StrCat("subprotocol=", (*socket)->subprotocol(),
                                            (*socket)->compressed() ? " compressed " : " plain ");
    // The server has heard all of it when it closes.
    const absl::Status closed = (*socket)->Close();
    std::printf("%s%s; %s\n", agreed.c_str(), ended.ToString().c_str(), closed.ToString().c_str());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::unique_ptr<grove::Hub> hub = *grove::Hub::Create({.stack_bytes = 256 * 1024});
  std::unique_ptr<grove::http::HttpClient> client = *grove::http::HttpClient::Create();
  const absl::Status status = hub->Run([&] { return EchoAll(*client, argv[1]); });
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
