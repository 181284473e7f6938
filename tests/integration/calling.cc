// calling: an application that calls what blocks: as a library would, inside a GreenScope, and in
// pools of its own.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "runtime/green/green_scope.h"
#include "runtime/process_pool/process_functions.h"
#include "server/application.h"
#include "server/main.h"

namespace {

using grove::WorkerServices;
using grove::http::Handler;
using grove::http::Request;
using grove::http::Response;

absl::Status Ok(Response& response) {
  return response.Send(200, "text/plain", std::string("ok"));
}

// GET /green: one call that parks, and one that nothing can wait for: the scope has no pool.
absl::Status Green(Request&, Response& response) {
  const grove::GreenScope green;
  poll(nullptr, 0, 1);
  const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  char bytes[4];
  const ssize_t got = read(fd, bytes, sizeof(bytes));
  close(fd);
  return got == sizeof(bytes) ? Ok(response) : absl::DataLossError("its own program is short");
}

// GET /disk: a call on a thread of the pool.
Handler Disk(WorkerServices& services) {
  return [&services](Request&, Response& response) -> absl::Status {
    const absl::StatusOr<grove::OffloadPool*> pool = services.pools.Offload("disk");
    if (!pool.ok()) return pool.status();
    if (absl::Status ran = (*pool)->Run([] {}); !ran.ok()) return ran;
    return Ok(response);
  };
}

// GET /native/{function}: a call in a process of the pool; how it came out.
Handler Native(WorkerServices& services) {
  return [&services](Request& request, Response& response) -> absl::Status {
    const absl::StatusOr<grove::ProcessPool*> pool = services.pools.Processes("native");
    if (!pool.ok()) return pool.status();
    const auto reply = (*pool)->Call(request.Param("function").value_or(""), "");
    return response.Send(200, "text/plain", reply.ok() ? *reply : reply.status().ToString());
  };
}

// What runs in these processes, which are of this program, too.
int ServeFunctions() {
  grove::ProcessFunctions functions;
  functions.Add("hello", [](std::string_view) -> absl::StatusOr<std::string> { return "hello"; });
  functions.Add("crash", [](std::string_view) -> absl::StatusOr<std::string> { _exit(3); });
  return functions.Serve();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "functions") return ServeFunctions();
  grove::Application application("calling");
  application.AddOffloadPool({.threads = 3, .name = "disk"});
  application.AddProcessPool(
      {.name = "native", .command = {"/proc/self/exe", "functions"}, .processes = 2});
  application.Handle("GET", "/green", Green);
  application.AddHandlerFactory("disk", Disk);
  application.AddRoute("GET", "/disk", "disk");
  application.AddHandlerFactory("native", Native);
  application.AddRoute("GET", "/native/{function}", "native");
  return grove::Main(argc, argv, application);
}
