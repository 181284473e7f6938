// declaring: an application whose schedules stand in a file, "ID SECONDS" a line, as another's
// stand in its code: so an upgrade to itself is one to a program that declares others.
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/runtime.h"
#include "server/application.h"
#include "server/main.h"

namespace {

using grove::WorkerServices;
using grove::http::Request;
using grove::http::Response;

int requests = 0;  // each worker's own

void DeclareSchedules(grove::Application& application) {
  const char* const path = std::getenv("DECLARED");
  std::ifstream file(path != nullptr ? path : "/dev/null");
  std::string id;
  for (int seconds = 0; file >> id >> seconds;) {
    application.AddSchedule(id, {.every = absl::Seconds(seconds)},
                            {.function = "note", .input = absl::StrCat("\"", id, "\"")});
  }
}

// GET /who: which worker answers, and with which header.
absl::Status Who(WorkerServices& services, Request& request, Response& response) {
  ++requests;
  response.Add("X-Worker", absl::StrCat(services.worker));
  const auto said = request.Get("X-Said");
  return response.Send(200, "text/plain", std::string(said.value_or("nothing")));
}

// GET /stream: never ends by itself.
absl::Status Stream(Request&, Response& response) {
  for (;;) {
    absl::Status written = response.Write("piece ");
    if (written.ok()) written = response.Flush();
    if (written.ok()) written = grove::Sleep(absl::Milliseconds(1));
    if (!written.ok()) return written;
  }
}

absl::StatusOr<std::string> Requests(WorkerServices&, std::string_view unit) {
  return absl::StrCat(requests, " ", unit.empty() ? "requests" : std::string(unit));
}

absl::StatusOr<std::string> Forget(WorkerServices&, std::string_view) {
  requests = 0;
  return "forgotten";
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("declaring");
  application.AddFunction("note", [](grove::TaskContext& context) -> absl::StatusOr<grove::Output> {
    return grove::Output{std::string(context.input())};
  });
  DeclareSchedules(application);
  application.AddHandlerFactory("who", [](WorkerServices& services) {
    return [&services](Request& request, Response& response) {
      return Who(services, request, response);
    };
  });
  application.AddRoute("", "/who", "who");
  application.Handle("GET", "/stream", Stream);
  application.AddValue("requests", "how many there were", Requests);
  application.AddCommand("forget", "begins to count anew", Forget);
  return grove::Main(argc, argv, application);
}
