// The smallest server: one hub that answers GET / with "Hello, World!\n", for measuring.
//
//   hello_bench --port=8090

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/io/listener.h"
#include "server/http/serving/server.h"

namespace {

grove::http::Router HelloRouter() {
  grove::http::Router router;
  const absl::Status added =
      router.Add("GET", "/", [](grove::http::Request&, grove::http::Response& response) {
        return response.Send(200, "text/plain", "Hello, World!\n");
      });
  GROVE_CHECK(added.ok(), std::string(added.message()));
  return router;
}

absl::Status Run(int port) {
  const absl::StatusOr<grove::SocketAddress> address =
      grove::SocketAddress::Parse("127.0.0.1:" + std::to_string(port));
  if (!address.ok()) return address.status();
  absl::StatusOr<int> fd = grove::BindListener(*address);
  if (!fd.ok()) return fd.status();
  absl::StatusOr<grove::Listener> listener = grove::Listener::Adopt(*fd);
  if (!listener.ok()) return listener.status();
  grove::http::ServerStats stats;
  grove::http::Server server({}, HelloRouter(), stats);
  return server.Serve(*std::move(listener));
}

}  // namespace

int main(int argc, char** argv) {
  constexpr char kFlag[] = "--port=";
  if (argc != 2 || std::strncmp(argv[1], kFlag, sizeof(kFlag) - 1) != 0) {
    std::fprintf(stderr, "usage: hello_bench --port=PORT\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  auto hub = grove::Hub::Create();
  const absl::Status status =
      hub.ok() ? (*hub)->Run([&] { return Run(std::atoi(argv[1] + sizeof(kFlag) - 1)); })
               : hub.status();
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
