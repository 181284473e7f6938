#include "server/worker/publisher.h"

#include <atomic>
#include <bit>

namespace grove::worker {
namespace {

template <typename T, typename V>
void Store(std::atomic<T>& place, V value) {
  place.store(static_cast<T>(value), std::memory_order_relaxed);
}

}  // namespace

void PublishStalls(const StallStats& stats, metrics::WorkerCounters& live) {
  Store(live.hub_stalls, stats.stalls);
  Store(live.hub_stall_microseconds, stats.held / 1000);
}

void Publisher::Publish(Hub& hub) {
  Store(slot_.last_turn_ns, hub.now());
  PublishHub(hub.Stats());
  PublishStalls(watchdog_.stats(), slot_.live);
  PublishHttp();
  metrics::WorkerCounters& live = slot_.live;
  Store(live.attempts_started, attempts_.stats().started);
  Store(live.attempts_ended, attempts_.stats().ended);
  Store(live.attempt_run_microseconds, attempts_.stats().run_time_us);
  Store(slot_.attempts_running, attempts_.running());
  const functions::FetchStats fetch = fetch_.stats();
  Store(live.fetches, fetch.fetches);
  Store(live.fetch_failures, fetch.failures);
  Store(slot_.offload_queued, offload_.queued());
  Store(slot_.offload_running, offload_.running());
  Store(slot_.backdoor_sessions, backdoor_sessions_);
}

void Publisher::PublishHub(const HubStats& stats) {
  metrics::WorkerCounters& live = slot_.live;
  Store(live.hub_turns, stats.turns);
  Store(live.hub_polls, stats.polls);
  Store(live.switches, stats.switches);
  Store(live.fibers_spawned, stats.spawned);
  Store(live.uncaught_exceptions, stats.uncaught_exceptions);
  Store(live.timers_fired, stats.timers_fired);
  for (size_t bucket = 0; bucket < stats.lag_counts.size(); ++bucket) {
    Store(live.lag_counts[bucket], stats.lag_counts[bucket]);
  }
  Store(live.lag_microseconds_sum, stats.lag_seconds_sum * 1e6);
  Store(slot_.fibers, stats.fibers_live);
  Store(slot_.run_queue_length, stats.run_queue_length);
  Store(slot_.timers, stats.timers_armed);
}

void Publisher::PublishHttp() {
  metrics::WorkerCounters& live = slot_.live;
  Store(live.http_connections, http_.connections);
  Store(live.http_accept_failures, http_.accept_failures);
  Store(live.http_parse_errors, http_.refused);
  Store(live.http_tls_handshakes, http_.tls_handshakes);
  Store(live.http_tls_handshake_failures, http_.tls_handshake_failures);
  Store(live.http_proxy_header_failures, http_.proxy_header_failures);
  Store(live.http_bytes_in, http_.bytes_in);
  Store(live.http_bytes_out, http_.bytes_out);
  Store(slot_.http_connections_open, http_.open);
  Store(slot_.http_connections_idle, http_.idle);
  Store(slot_.http_requests_running, http_.running);
  Store(slot_.http_websockets, http_.switched);
  Store(live.http_timeouts[0], http_.head_timeouts);
  Store(live.http_timeouts[1], http_.body_timeouts);
  Store(live.http_timeouts[2], http_.response_timeouts);
  Store(live.http_clients_gone, http_.clients_gone);
  if (access_log_ != nullptr) {
    Store(live.access_log_lines, access_log_->lines.load(std::memory_order_relaxed));
    Store(live.access_log_dropped, access_log_->dropped.load(std::memory_order_relaxed));
  }
  // Looked at only after an answer.
  const uint64_t answered = http_.requests - http_.running + http_.refused + http_.clients_gone;
  if (answered == answered_) return;
  answered_ = answered;
  PublishAnswers();
}

void Publisher::PublishAnswers() {
  metrics::WorkerCounters& live = slot_.live;
  for (size_t index = 0; index < http_.methods.size(); ++index) {
    Store(live.http_methods[index], http_.methods[index]);
  }
  for (size_t index = 0; index < http_.durations.size(); ++index) {
    Store(live.http_durations[index], http_.durations[index]);
  }
  Store(live.http_duration_microseconds, http_.duration_nanos / 1000);
  for (size_t word = 0; word < http_.statuses_seen.size(); ++word) {
    for (uint64_t seen = http_.statuses_seen[word]; seen != 0; seen &= seen - 1) {
      const size_t index = word * 64 + static_cast<size_t>(std::countr_zero(seen));
      Store(live.http_responses[index + 100], http_.responses[index]);
    }
  }
}

}  // namespace grove::worker
