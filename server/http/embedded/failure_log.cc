#include "server/http/embedded/failure_log.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "server/http/handler/status.h"
#include "server/line_limit.h"
#include "server/log.h"

namespace grove::http {
namespace {

// Between two lines about the same trouble, which every client that comes may meet.
constexpr absl::Duration kSeldom = absl::Minutes(1);

void LogClients(ServerOptions& options) {
  options.on_failure = [](const Request& request, const absl::Status& status) {
    // What clients can cause at will must not fill the log.
    const bool ours = StatusToHttp(status.code()) >= 500;
    Log(ours ? LogLevel::kError : LogLevel::kDebug, "a handler failed",
        {{"method", request.method}, {"path", request.path}, {"error", status.ToString()}});
  };
  options.on_client_failure = [](const Request& request, const absl::Status& status) {
    Log(LogLevel::kDebug, "a client broke a request off",
        {{"method", request.method}, {"path", request.path}, {"error", status.ToString()}});
  };
  // Anybody can cause these, so only who looks for them sees them; all are counted.
  options.on_failed_ingress = [](std::string_view peer, const absl::Status& status) {
    Log(LogLevel::kDebug, "a connection failed before its first request",
        {{"peer", peer}, {"error", status.ToString()}});
  };
}

void LogAccepting(ServerOptions& options) {
  options.on_full = [limit = std::make_shared<LineLimit>(kSeldom), max = options.connections_max] {
    const std::optional<int64_t> times = limit->Admit();
    if (!times.has_value()) return;
    Log(LogLevel::kWarning, "the server is full: clients that wait longest make room for new ones",
        {{"connections_max", max}, {"times", *times}});
  };
  options.on_accept_failure =
      [limit = std::make_shared<LineLimit>(kSeldom)](const absl::Status& status) {
        const std::optional<int64_t> times = limit->Admit();
        if (!times.has_value()) return;
        Log(LogLevel::kError, "cannot accept connections: they wait until there is room again",
            {{"error", status.ToString()}, {"times", *times}});
      };
}

}  // namespace

void LogFailures(ServerOptions& options) {
  ServerOptions logged;
  logged.connections_max = options.connections_max;
  LogClients(logged);
  LogAccepting(logged);
  const auto fill = [](auto& callback, auto& line) {
    if (!callback) callback = std::move(line);
  };
  fill(options.on_failure, logged.on_failure);
  fill(options.on_client_failure, logged.on_client_failure);
  fill(options.on_failed_ingress, logged.on_failed_ingress);
  fill(options.on_full, logged.on_full);
  fill(options.on_accept_failure, logged.on_accept_failure);
}

}  // namespace grove::http
