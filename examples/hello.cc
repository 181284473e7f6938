// hello: an HTTP server that greets.
//
// eventlet's (9 lines): a WSGI function on port 8090; `/` gives "Hello, World!", all else is 404.
// Beside it this one has worker processes, tasks, metrics and a backdoor: grove::Main's flags.
//
//   hello &
//   curl http://127.0.0.1:8090/
#include "server/main.h"

int main(int argc, char** argv) {
  grove::Application hello("hello");
  hello.Handle("GET", "/", [](grove::http::Request&, grove::http::Response& response) {
    return response.Send(200, "text/plain", "Hello, World!\n");
  });
  return grove::Main(argc, argv, hello);
}
