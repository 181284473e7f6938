// An echo server and one client of it, in one process.
#include <cstdio>
#include <string>

#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/io/serve.h"

namespace {

using namespace grove;

absl::Status Echo(Socket& connection) {
  BufferedReader reader(connection);
  for (;;) {
    Timeout idle(absl::Seconds(30));  // bounds the read and the write below
    absl::StatusOr<std::string> line = reader.ReadLine();
    if (absl::IsOutOfRange(line.status())) return absl::OkStatus();  // the client has said all
    if (!line.ok()) return line.status();
    if (*line == "quit") return StopServe();
    if (absl::Status sent = connection.Write(*line + "\n"); !sent.ok()) return sent;
  }
}

absl::Status Talk(const SocketAddress& server) {
  absl::StatusOr<Socket> socket = Socket::Connect(server);
  if (!socket.ok()) return socket.status();
  if (absl::Status sent = socket->Write("hello\nquit\n"); !sent.ok()) return sent;
  BufferedReader reader(*socket);
  absl::StatusOr<std::string> answer = reader.ReadLine();
  if (!answer.ok()) return answer.status();
  std::printf("the server says: %s\n", answer->c_str());
  return absl::OkStatus();
}

absl::Status Main() {
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse("127.0.0.1:0");
  if (!address.ok()) return address.status();
  absl::StatusOr<int> bound = BindListener(*address);  // needs no hub: may come before a fork
  if (!bound.ok()) return bound.status();
  absl::StatusOr<Listener> listener = Listener::Adopt(*bound);
  if (!listener.ok()) return listener.status();
  absl::StatusOr<FiberHandle> client =
      Spawn("client", [server = listener->LocalAddress()] { return Talk(server); });
  if (!client.ok()) return client.status();
  StreamServer server({.concurrency = 1000});
  if (absl::Status served = server.Serve(*listener, Echo); !served.ok()) return served;
  return client->Join();
}

}  // namespace

int main() {
  auto hub = grove::Hub::Create();
  const absl::Status status = hub.ok() ? (*hub)->Run(Main) : hub.status();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
