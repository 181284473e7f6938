// Talks over a WebSocket: each line that is typed is sent, and each message that comes is printed.
#include <cstdio>
#include <memory>
#include <string>

#include "http/client/websocket_client.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/standard_input.h"

using grove::http::ClientWebSocket;

// Until the server closes.
absl::Status PrintMessages(ClientWebSocket& socket) {
  for (;;) {
    absl::StatusOr<std::optional<grove::http::Message>> message = socket.Receive();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    std::printf("%s\n", (*message)->payload.c_str());
    std::fflush(stdout);
  }
}

// Until the input ends; then closes.
absl::Status SendLines(ClientWebSocket& socket) {
  absl::StatusOr<grove::StandardInput> input = grove::StandardInput::Open();
  if (!input.ok()) return input.status();
  grove::BufferedReader lines(*input);
  for (;;) {
    absl::StatusOr<std::string> line = lines.ReadLine();
    if (absl::IsOutOfRange(line.status())) return socket.Close();
    if (!line.ok()) return line.status();
    if (absl::Status sent = socket.SendText(*line); !sent.ok()) return sent;
  }
}

int main(int argc, char** argv) {
  std::unique_ptr<grove::Hub> hub = *grove::Hub::Create({.stack_bytes = 256 * 1024});
  std::unique_ptr<grove::http::HttpClient> client = *grove::http::HttpClient::Create();
  const absl::Status status = hub->Run([&]() -> absl::Status {
    if (argc != 2) return absl::InvalidArgumentError("usage: chat ws://HOST:PORT/PATH");
    auto socket = grove::http::websocket::Connect(*client, argv[1]);
    if (!socket.ok()) return socket.status();
    grove::FiberGroup group;
    absl::Status spawned = group.Spawn("keyboard", [&] { return SendLines(**socket); }).status();
    absl::Status ended = spawned.ok() ? PrintMessages(**socket) : spawned;
    group.Cancel();
    group.Join().IgnoreError();
    return ended;
  });
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
