// http_server: HTTP in a program of one's own, without a daemon around it.
//
// eventlet's: wsgi.server(eventlet.listen(('127.0.0.1', 8090)), site), and beside it
// spawn(backdoor.backdoor_server, eventlet.listen(...)). Here too: one process, one hub, whatever
// else the program does. A line for each request goes to stdout, one about whoever holds the hub to
// stderr; at SIGTERM requests under way end first.
//
//   http_server 127.0.0.1:8090 unix:/tmp/backdoor &
//   curl http://127.0.0.1:8090/
//   socat - UNIX-CONNECT:/tmp/backdoor
#include <iostream>

#include "runtime/runtime.h"
#include "server/backdoor/backdoor_server.h"
#include "server/http/embedded/embedded_server.h"
#include "server/hub_watch.h"

namespace http = grove::http;

absl::Status Greet(http::Request&, http::Response& response) {
  return response.Send(200, "text/plain", "Hello, World!\n");
}

// As long as the program runs; an error is told, and ends nothing else.
absl::Status OpenBackdoor(const std::string& address) {
  GROVE_ASSIGN_OR_RETURN(auto listener, grove::Listener::Listen(address));
  return grove::Spawn("backdoor",
                      [listener = std::move(listener)]() mutable {
                        std::cerr << grove::backdoor::BackdoorServer({}).Serve(listener) << '\n';
                      })
      .status();
}

absl::Status Main(const grove::Arguments& addresses) {
  http::Router router;
  GROVE_RETURN_IF_ERROR(router.Add("GET", "/", Greet));
  GROVE_ASSIGN_OR_RETURN(const auto watch, grove::HubWatch::Start());
  if (addresses.size() > 1) {
    GROVE_RETURN_IF_ERROR(OpenBackdoor(addresses[1]));
  }
  GROVE_ASSIGN_OR_RETURN(
      auto listener, grove::Listener::Listen(addresses.empty() ? "127.0.0.1:8090" : addresses[0]));
  std::cout << "listening on " << listener.LocalAddress().ToString() << std::endl;
  return http::Serve(std::move(listener), std::move(router), {.access_log = {.file = "-"}});
}

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, Main);
}
