// What may be used without a config has defaults of its own: those of the config's schema.

#include <string_view>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "runtime/io/listener.h"
#include "server/backdoor/backdoor_server.h"
#include "server/config/schema.h"
#include "server/functions/fetch_policy.h"
#include "server/http/embedded/embedded_server.h"
#include "server/http/middleware/cors.h"
#include "server/http/middleware/gzip.h"
#include "server/http/middleware/token_buckets.h"
#include "server/http/serving/options.h"
#include "server/tenancy/directory.h"

namespace grove {
namespace {

int64_t Default(std::string_view key) {
  const config::SchemaRow* row = config::FindSchemaRow(key);
  EXPECT_NE(row, nullptr) << key;
  return row == nullptr ? -1 : row->default_value;
}

TEST(Defaults, OfAnHttpServer) {
  const http::ServerOptions options;
  EXPECT_EQ(options.connections_max, Default("http.connections_max"));
  EXPECT_EQ(options.idle_timeout, absl::Milliseconds(Default("http.idle_timeout_ms")));
  EXPECT_EQ(options.header_timeout, absl::Milliseconds(Default("http.header_timeout_ms")));
  EXPECT_EQ(options.io_timeout, absl::Milliseconds(Default("http.io_timeout_ms")));
  EXPECT_EQ(options.body_rate_min_bytes_per_s, Default("http.body_rate_min_bytes_per_s"));
  EXPECT_EQ(options.requests_per_connection_max, Default("http.requests_per_connection_max"));
  EXPECT_EQ(options.body_max_bytes, Default("http.body_max_bytes"));
  EXPECT_EQ(options.lingering_time, absl::Milliseconds(Default("http.lingering_time_ms")));
  EXPECT_EQ(options.lingering_timeout, absl::Milliseconds(Default("http.lingering_timeout_ms")));
  EXPECT_EQ(ListenOptions().backlog, Default("http.listeners[].backlog"));
}

TEST(Defaults, OfAnHttpServerWithoutADaemon) {
  EXPECT_EQ(http::EmbeddedOptions().drain_timeout, absl::Milliseconds(Default("drain_timeout_ms")));
  EXPECT_EQ(http::EmbeddedOptions().access_log.queue_bytes_max,
            Default("http.access_log.queue_max_bytes"));
}

TEST(Defaults, OfMiddleware) {
  EXPECT_EQ(http::GzipOptions().bytes_min, Default("http.middleware[].gzip.bytes_min"));
  EXPECT_EQ(http::GzipOptions().level, Default("http.middleware[].gzip.level"));
  EXPECT_EQ(http::CorsOptions().max_age,
            absl::Seconds(Default("http.middleware[].cors.max_age_s")));
  EXPECT_EQ(http::TokenBuckets::Options().keys_max,
            Default("http.middleware[].rate_limit.keys_max"));
}

TEST(Defaults, OfABackdoorSession) {
  const backdoor::BackdoorLimits limits;
  EXPECT_EQ(limits.instructions_max, Default("backdoor.instructions_max"));
  EXPECT_EQ(limits.time_max, absl::Milliseconds(Default("backdoor.time_max_ms")));
  EXPECT_EQ(limits.memory_max_bytes, Default("backdoor.memory_max_bytes"));
  EXPECT_EQ(limits.output_max_bytes, Default("backdoor.output_max_bytes"));
  EXPECT_EQ(backdoor::BackdoorServerOptions().sessions_max, Default("backdoor.sessions_max"));
}

TEST(Defaults, OfFetches) {
  const functions::FetchPolicy policy;
  EXPECT_EQ(policy.limits.body_max_bytes, Default("fetch.body_max_bytes"));
  EXPECT_EQ(policy.limits.timeout, absl::Milliseconds(Default("fetch.timeout_ms")));
  EXPECT_EQ(policy.limits.redirects_max, Default("fetch.redirects_max"));
  EXPECT_EQ(policy.concurrency_max, Default("fetch.concurrency_max"));
}

TEST(Defaults, OfTenants) {
  EXPECT_EQ(tenancy::kPoolSizeMax, config::FindSchemaRow("tenants[].pools[].size")->max);
  EXPECT_EQ(tenancy::kQueueDepthMax, config::FindSchemaRow("tenants[].queues[].depth_max")->max);
  EXPECT_EQ(tenancy::kPoolSizeDefault, Default("tenants[].pools[].size"));
  EXPECT_EQ(tenancy::kQueueDepthDefault, Default("tenants[].queues[].depth_max"));
}

}  // namespace
}  // namespace grove
