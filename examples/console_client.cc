// console_client: sends what is typed, line by line, and prints what comes back.
//
// eventlet's (6 lines): connects to port 6000; for ever: asks for a line, sends it, prints the
// answer. This one ends with its input or with the server, and parks on both: other fibers would go
// on while it asks.
//
//   console_client [ADDRESS]
#include <iostream>

#include "runtime/runtime.h"

absl::Status Main(const grove::Arguments& arguments) {
  const std::string address = arguments.empty() ? "127.0.0.1:6000" : arguments[0];
  GROVE_ASSIGN_OR_RETURN(const auto server, grove::SocketAddress::Parse(address));
  GROVE_ASSIGN_OR_RETURN(grove::Socket socket, grove::Socket::Connect(server));
  GROVE_ASSIGN_OR_RETURN(grove::StandardInput input, grove::StandardInput::Open());
  grove::BufferedReader console(input), answers(socket);
  for (std::cout << "> " << std::flush;; std::cout << "> " << std::flush) {
    const auto line = console.ReadLine();
    if (absl::IsOutOfRange(line.status())) return absl::OkStatus();
    GROVE_RETURN_IF_ERROR(line);
    GROVE_RETURN_IF_ERROR(socket.Write(*line + "\n"));
    GROVE_ASSIGN_OR_RETURN(const std::string answer, answers.ReadLine());
    std::cout << answer << '\n';
  }
}

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, Main);
}
