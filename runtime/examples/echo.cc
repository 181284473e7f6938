// An echo server and one client of it, in one process.
#include <cstdio>
#include <string>

#include "runtime/runtime.h"

using namespace grove;

absl::Status Echo(Socket& connection) {
  BufferedReader reader(connection);
  for (;;) {
    Timeout idle(absl::Seconds(30));  // bounds the read and the write below
    absl::StatusOr<std::string> line = reader.ReadLine();
    if (absl::IsOutOfRange(line.status())) return absl::OkStatus();  // the client has said all
    GROVE_RETURN_IF_ERROR(line);
    if (*line == "quit") return StopServe();
    GROVE_RETURN_IF_ERROR(connection.Write(*line + "\n"));
  }
}

absl::Status Talk(const SocketAddress& server) {
  GROVE_ASSIGN_OR_RETURN(Socket socket, Socket::Connect(server));
  GROVE_RETURN_IF_ERROR(socket.Write("hello\nquit\n"));
  BufferedReader reader(socket);
  GROVE_ASSIGN_OR_RETURN(const std::string answer, reader.ReadLine());
  std::printf("the server says: %s\n", answer.c_str());
  return absl::OkStatus();
}

absl::Status Main() {
  GROVE_ASSIGN_OR_RETURN(Listener listener, Listener::Listen("127.0.0.1:0"));
  const auto talk = [server = listener.LocalAddress()] { return Talk(server); };
  GROVE_ASSIGN_OR_RETURN(FiberHandle client, Spawn("client", talk));
  GROVE_RETURN_IF_ERROR(Serve(listener, Echo, {.concurrency = 1000}));
  return client.Join();
}

int main(int argc, char** argv) {
  return RunMain(argc, argv, Main);
}
