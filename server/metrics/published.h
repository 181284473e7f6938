// The numbers that a worker publishes as they are: one row from where they are counted, by way of
// the scoreboard, to their metric.
//
// The worker copies every row into its slot, the exporter sums every row up: who adds a number adds
// a row here, its place in the slot, and its help in metric_table.cc. What is published in another
// form (histograms, by code, in other units) stands in publisher.cc and prometheus.cc.
#ifndef GROVE_SERVER_METRICS_PUBLISHED_H_
#define GROVE_SERVER_METRICS_PUBLISHED_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "runtime/hub/hub_stats.h"
#include "server/functions/fetch_stats.h"
#include "server/http/serving/stats.h"
#include "server/metrics/scoreboard.h"
#include "server/topics/exchange_stats.h"

namespace grove::metrics {

// Grows while a worker lives; summed over all that had the slot.
template <typename Stats>
struct CounterRow {
  const char* metric;  // null: on the scoreboard alone
  uint64_t Stats::*counted;
  WorkerCounters::Counter WorkerCounters::*published;
};

// Of the worker that has the slot now.
template <typename Stats, typename Level>
struct LevelRow {
  const char* metric;
  Level Stats::*counted;
  std::atomic<int64_t> WorkerSlot::*published;
};

inline constexpr auto kHttpCounters = std::to_array<CounterRow<http::ServerStats>>({
    {"grove_http_connections_total", &http::ServerStats::connections,
     &WorkerCounters::http_connections},
    {"grove_http_accept_failures_total", &http::ServerStats::accept_failures,
     &WorkerCounters::http_accept_failures},
    {"grove_http_connections_full_total", &http::ServerStats::connections_full,
     &WorkerCounters::http_connections_full},
    {"grove_http_connections_evicted_total", &http::ServerStats::connections_evicted,
     &WorkerCounters::http_connections_evicted},
    {"grove_http_websockets_over_budget_total", &http::ServerStats::websockets_over_budget,
     &WorkerCounters::http_websockets_over_budget},
    {"grove_http_parse_errors_total", &http::ServerStats::refused,
     &WorkerCounters::http_parse_errors},
    {"grove_http_clients_gone_total", &http::ServerStats::clients_gone,
     &WorkerCounters::http_clients_gone},
    {"grove_http_tls_handshakes_total", &http::ServerStats::tls_handshakes,
     &WorkerCounters::http_tls_handshakes},
    {"grove_http_tls_handshake_failures_total", &http::ServerStats::tls_handshake_failures,
     &WorkerCounters::http_tls_handshake_failures},
    {"grove_http_proxy_header_failures_total", &http::ServerStats::proxy_header_failures,
     &WorkerCounters::http_proxy_header_failures},
    {"grove_http_received_bytes_total", &http::ServerStats::bytes_in,
     &WorkerCounters::http_bytes_in},
    {"grove_http_sent_bytes_total", &http::ServerStats::bytes_out, &WorkerCounters::http_bytes_out},
});

inline constexpr auto kHttpLevels = std::to_array<LevelRow<http::ServerStats, uint64_t>>({
    {"grove_http_connections", &http::ServerStats::open, &WorkerSlot::http_connections_open},
    {"grove_http_connections_idle", &http::ServerStats::idle, &WorkerSlot::http_connections_idle},
    {"grove_http_requests_running", &http::ServerStats::running,
     &WorkerSlot::http_requests_running},
    {"grove_http_websockets", &http::ServerStats::switched, &WorkerSlot::http_websockets},
});

inline constexpr auto kHubCounters = std::to_array<CounterRow<HubStats>>({
    {"grove_hub_turns_total", &HubStats::turns, &WorkerCounters::hub_turns},
    {nullptr, &HubStats::polls, &WorkerCounters::hub_polls},
    {"grove_hub_switches_total", &HubStats::switches, &WorkerCounters::switches},
    {"grove_worker_fibers_spawned_total", &HubStats::spawned, &WorkerCounters::fibers_spawned},
    {"grove_worker_uncaught_exceptions_total", &HubStats::uncaught_exceptions,
     &WorkerCounters::uncaught_exceptions},
    {nullptr, &HubStats::timers_fired, &WorkerCounters::timers_fired},
    {"grove_hub_io_calls_total", &HubStats::io_calls, &WorkerCounters::hub_io_calls},
});

inline constexpr auto kHubLevels = std::to_array<LevelRow<HubStats, size_t>>({
    {"grove_worker_fibers", &HubStats::fibers_live, &WorkerSlot::fibers},
    {"grove_hub_run_queue_length", &HubStats::run_queue_length, &WorkerSlot::run_queue_length},
    {"grove_hub_timers", &HubStats::timers_armed, &WorkerSlot::timers},
    {"grove_hub_descriptors", &HubStats::descriptors, &WorkerSlot::hub_descriptors},
    {"grove_worker_stacks", &HubStats::stacks, &WorkerSlot::stacks},
    {"grove_worker_stack_reserved_bytes", &HubStats::stack_bytes, &WorkerSlot::stack_bytes},
});

inline constexpr auto kFetchCounters = std::to_array<CounterRow<functions::FetchStats>>({
    {"grove_worker_fetches_total", &functions::FetchStats::fetches, &WorkerCounters::fetches},
    {"grove_worker_fetch_failures_total", &functions::FetchStats::failures,
     &WorkerCounters::fetch_failures},
    {"grove_dns_lookups_total", &functions::FetchStats::lookups, &WorkerCounters::dns_lookups},
    {"grove_dns_failures_total", &functions::FetchStats::lookup_failures,
     &WorkerCounters::dns_failures},
    {"grove_dns_cache_hits_total", &functions::FetchStats::cache_hits,
     &WorkerCounters::dns_cache_hits},
    {"grove_dns_cache_misses_total", &functions::FetchStats::cache_misses,
     &WorkerCounters::dns_cache_misses},
    {"grove_fetch_connections_made_total", &functions::FetchStats::connections_made,
     &WorkerCounters::fetch_connections_made},
    {"grove_fetch_connections_reused_total", &functions::FetchStats::connections_reused,
     &WorkerCounters::fetch_connections_reused},
    {"grove_fetch_http2_streams_total", &functions::FetchStats::http2_streams,
     &WorkerCounters::fetch_http2_streams},
});

inline constexpr auto kFetchLevels = std::to_array<LevelRow<functions::FetchStats, int64_t>>({
    {"grove_fetches_running", &functions::FetchStats::running, &WorkerSlot::fetches_running},
    {"grove_fetches_waiting", &functions::FetchStats::waiting, &WorkerSlot::fetches_waiting},
    {"grove_fetch_connections", &functions::FetchStats::connections,
     &WorkerSlot::fetch_connections},
    {"grove_fetch_connections_idle", &functions::FetchStats::connections_idle,
     &WorkerSlot::fetch_connections_idle},
    {"grove_fetch_http2_connections", &functions::FetchStats::http2_connections,
     &WorkerSlot::fetch_http2_connections},
});

inline constexpr auto kTopicCounters = std::to_array<CounterRow<topics::ExchangeStats>>({
    {"grove_topic_messages_published_total", &topics::ExchangeStats::published,
     &WorkerCounters::topics_published},
    {"grove_topic_messages_delivered_total", &topics::ExchangeStats::delivered,
     &WorkerCounters::topics_delivered},
    {"grove_topic_messages_dropped_total", &topics::ExchangeStats::dropped,
     &WorkerCounters::topics_dropped},
    {"grove_topic_messages_unsent_total", &topics::ExchangeStats::unsent,
     &WorkerCounters::topics_unsent},
});

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_PUBLISHED_H_
