#include "server/worker/options.h"

#include "server/http/embedded/failure_log.h"
#include "server/worker/middleware_chain.h"

namespace grove::worker {
namespace {

// Handlers and functions parse, format and call libraries: more than the runtime's own default.
constexpr size_t kStackBytes = 256 * 1024;

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
  http::LogFailures(options);
  return options;
}

}  // namespace grove::worker
