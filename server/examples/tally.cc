// tally: what all workers count together, and which of them leads.
//
//   tally --workers=4 &
//   curl -X POST http://127.0.0.1:8090/votes/blue     # by whichever worker
//   curl http://127.0.0.1:8090/votes/blue
//   curl http://127.0.0.1:8090/leader
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/runtime.h"
#include "server/main.h"
#include "server/shared/locks.h"
#include "server/shared/table.h"

namespace {

using grove::http::Request;
using grove::http::Response;

// A leader that is stopped leads for no longer; one that dies, not at all.
constexpr absl::Duration kTerm = absl::Seconds(60);

std::string RowOf(const Request& request) {
  return absl::StrCat("votes/", std::string(*request.Param("name")));
}

// POST /votes/{name}: kResourceExhausted, where no row is left, is 429.
absl::Status Vote(grove::WorkerServices& services, Request& request, Response& response) {
  GROVE_ASSIGN_OR_RETURN(const int64_t votes, services.table.Add(RowOf(request), 1));
  return response.Send(200, "text/plain", absl::StrCat(votes, " at worker ", services.worker));
}

// GET /votes/{name}: kNotFound is 404.
absl::Status Votes(grove::WorkerServices& services, Request& request, Response& response) {
  GROVE_ASSIGN_OR_RETURN(const grove::shared::SharedRow row, services.table.Get(RowOf(request)));
  return response.Send(200, "text/plain", row.value);
}

// GET /leader
absl::Status Leader(grove::WorkerServices& services, Request&, Response& response) {
  GROVE_ASSIGN_OR_RETURN(const grove::shared::SharedRow row, services.table.Get("leader"));
  return response.Send(200, "text/plain", row.value);
}

// For as long as the worker runs: waits for its turn, and leads until it has lost that.
absl::Status Lead(grove::WorkerServices& services) {
  for (;;) {
    GROVE_ASSIGN_OR_RETURN(grove::shared::HeldLock turn, services.locks.Lock("leader", kTerm));
    GROVE_RETURN_IF_ERROR(
        services.table.Put("leader", absl::StrCat("pid ", getpid(), ", token ", turn.token())));
    do {
      GROVE_RETURN_IF_ERROR(grove::Sleep(kTerm / 3));
    } while (turn.Extend(kTerm).ok());
  }
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("tally");
  const auto add = [&](const char* method, const char* path, const char* name, auto handler) {
    application.AddHandlerFactory(name, [handler](grove::WorkerServices& services) {
      return [&services, handler](Request& request, Response& response) {
        return handler(services, request, response);
      };
    });
    application.AddRoute(method, path, name);
  };
  add("POST", "/votes/{name}", "vote", Vote);
  add("GET", "/votes/{name}", "votes", Votes);
  add("GET", "/leader", "leader", Leader);
  application.OnStart("lead", [](grove::WorkerServices& services) {
    return grove::Spawn("lead", [&services] { Lead(services).IgnoreError(); }).status();
  });
  return grove::Main(argc, argv, application);
}
