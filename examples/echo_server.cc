// echo_server: sends back each line that a client sends.
//
// eventlet's (20 lines): listens on port 6000, with a pool of 10,000; each connection reads a line
// and writes it, until the end; it prints who connects and disconnects.
//
//   echo_server [ADDRESS] &
//   console_client [ADDRESS]
#include <iostream>

#include "runtime/runtime.h"

absl::Status Echo(grove::Socket& connection) {
  const std::string peer = connection.PeerAddress().ToString();
  std::cout << "client connected: " << peer << std::endl;
  grove::BufferedReader reader(connection);
  auto line = reader.ReadLine();
  for (; line.ok(); line = reader.ReadLine()) {
    GROVE_RETURN_IF_ERROR(connection.Write(*line + "\n"));
  }
  std::cout << "client disconnected: " << peer << std::endl;
  return absl::IsOutOfRange(line.status()) ? absl::OkStatus() : line.status();
}

absl::Status Main(const grove::Arguments& arguments) {
  const std::string address = arguments.empty() ? "127.0.0.1:6000" : arguments[0];
  GROVE_ASSIGN_OR_RETURN(auto listener, grove::Listener::Listen(address));
  std::cout << "listening on " << listener.LocalAddress().ToString() << std::endl;
  return grove::Serve(listener, Echo, {.concurrency = 10'000});
}

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, Main);
}
