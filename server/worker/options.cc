#include "server/worker/options.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "server/http/handler/status.h"
#include "server/line_limit.h"
#include "server/log.h"
#include "server/worker/middleware_chain.h"

namespace grove::worker {
namespace {

// Handlers and functions parse, format and call libraries: more than the runtime's own default.
constexpr size_t kStackBytes = 256 * 1024;

// Between two lines about the same trouble, which every client that comes may meet.
constexpr absl::Duration kSeldom = absl::Minutes(1);

void LogClients(http::ServerOptions& options) {
  options.on_failure = [](const http::Request& request, const absl::Status& status) {
    // What clients can cause at will must not fill the log.
    const bool ours = http::StatusToHttp(status.code()) >= 500;
    Log(ours ? LogLevel::kError : LogLevel::kDebug, "a handler failed",
        {{"method", request.method}, {"path", request.path}, {"error", status.ToString()}});
  };
  options.on_client_failure = [](const http::Request& request, const absl::Status& status) {
    Log(LogLevel::kDebug, "a client broke a request off",
        {{"method", request.method}, {"path", request.path}, {"error", status.ToString()}});
  };
  // Anybody can cause these, so only who looks for them sees them; all are counted.
  options.on_failed_ingress = [](std::string_view peer, const absl::Status& status) {
    Log(LogLevel::kDebug, "a connection failed before its first request",
        {{"peer", peer}, {"error", status.ToString()}});
  };
}

void LogAccepting(http::ServerOptions& options) {
  options.on_full = [limit = std::make_shared<LineLimit>(kSeldom), max = options.connections_max] {
    const std::optional<int64_t> times = limit->Admit();
    if (!times.has_value()) return;
    Log(LogLevel::kWarning, "the worker is full: clients that wait longest make room for new ones",
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

AttemptLimits AttemptLimitsOf(const config::v1::Tasks& tasks) {
  return {.running_max = tasks.running_max_per_worker(),
          .output_max_bytes = static_cast<size_t>(tasks.output_max_bytes()),
          .default_timeout = absl::Milliseconds(tasks.default_timeout_ms())};
}

HubOptions HubOptionsOf(const config::v1::Runtime& config) {
  HubOptions options;
  options.stack_bytes = config.stack_bytes() > 0 ? config.stack_bytes() : kStackBytes;
  options.fibers_max = config.fibers_max();
  return options;
}

http::ServerOptions HttpOptionsOf(const config::v1::Http& config) {
  http::ServerOptions options;
  options.connections_max = config.connections_max();
  options.idle_timeout = absl::Milliseconds(config.idle_timeout_ms());
  options.header_timeout = absl::Milliseconds(config.header_timeout_ms());
  options.io_timeout = absl::Milliseconds(config.io_timeout_ms());
  options.body_max_bytes = config.body_max_bytes();
  options.body_rate_min_bytes_per_s = config.body_rate_min_bytes_per_s();
  if (config.raw_utf8_targets()) options.target_text = http::TargetText::kUriAndUtf8;
  options.forwarded_scheme = ForwardedSchemeOf(config);
  options.requests_per_connection_max = config.requests_per_connection_max();
  options.lingering_time = absl::Milliseconds(config.lingering_time_ms());
  options.lingering_timeout = absl::Milliseconds(config.lingering_timeout_ms());
  LogClients(options);
  LogAccepting(options);
  return options;
}

}  // namespace grove::worker
