// tracing: an application whose handler spawns a task, which asks a server of the test's.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "http/client/http_client.h"
#include "runtime/dns/resolver.h"
#include "runtime/switch/status_macros.h"
#include "runtime/trace/span.h"
#include "server/application.h"
#include "server/main.h"

namespace {

using grove::http::Request;
using grove::http::Response;

// POST /spawn: a task "ask" with this body. "?delay": not before an hour is over.
grove::http::Handler SpawnHandler(grove::WorkerServices& services) {
  return [&services](Request& request, Response& response) -> absl::Status {
    GROVE_ASSIGN_OR_RETURN(std::string body, request.ReadWholeBody());
    services.log.Info("a handler spawns", {{"tenant", services.tenant()}});
    GROVE_ASSIGN_OR_RETURN(
        const std::string name,
        services.tasks.Spawn({.function = "ask",
                              .input = std::move(body),
                              .content_type = "text/plain",
                              .delay = absl::Hours(request.query == "delay" ? 1 : 0),
                              .attempts_max = 2}));
    return response.Send(200, "text/plain", name);
  };
}

// GET /resolve: the addresses of localhost.
grove::http::Handler ResolveHandler(grove::WorkerServices& services) {
  return [&services](Request&, Response& response) -> absl::Status {
    GROVE_ASSIGN_OR_RETURN(const auto found, services.resolver->Resolve("localhost", 80));
    return response.Send(200, "text/plain", found.front().ToString());
  };
}

// "URL HOW": asks there, within a span of its own, and then
//   done    succeeds;
//   twice   fails in the first attempt, to be tried again at once;
//   throws  throws.
absl::StatusOr<grove::Output> Ask(grove::TaskContext& context) {
  const std::vector<std::string> words = absl::StrSplit(std::string(context.input()), ' ');
  if (words.size() != 2) return absl::InvalidArgumentError("not URL HOW");
  context.services().log.Info("a task asks");
  context.Log("its context does");
  std::string said;
  {
    grove::SpanScope span("ask the server");
    span->Set("how", words[1]);
    GROVE_ASSIGN_OR_RETURN(const auto answer, context.services().http->Fetch({.url = words[0]}));
    said = answer.body;
  }
  if (words[1] == "throws") throw 7;
  if (words[1] == "twice" && context.attempt() == 1) {
    return grove::RetryAfter(absl::ZeroDuration(), "not yet");
  }
  return grove::Output{said, "text/plain"};
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("tracing");
  application.AddHandlerFactory("spawn", SpawnHandler);
  application.AddHandlerFactory("resolve", ResolveHandler);
  application.AddRoute("POST", "/spawn", "spawn");
  application.AddRoute("GET", "/resolve", "resolve");
  application.AddFunction("ask", Ask);
  return grove::Main(argc, argv, application);
}
