#include "server/worker/publisher.h"

#include <atomic>
#include <bit>
#include <numeric>

#include "server/log.h"
#include "server/metrics/published.h"

namespace grove::worker {
namespace {

template <typename T, typename V>
void Store(std::atomic<T>& place, V value) {
  place.store(static_cast<T>(value), std::memory_order_relaxed);
}

template <typename Rows, typename Stats, typename Place>
void StoreRows(const Rows& rows, const Stats& stats, Place& place) {
  for (const auto& row : rows) Store(place.*row.published, stats.*row.counted);
}

}  // namespace

void PublishStalls(const StallStats& stats, metrics::WorkerCounters& live) {
  Store(live.hub_stalls, stats.stalls);
  Store(live.hub_stall_microseconds, stats.held / 1000);
}

void Publisher::Publish(Hub& hub) {
  // Not the turn's start: one that took long has come to its end all the same.
  Store(slot_.last_turn_ns, hub.ReadClock());
  PublishHub(hub.Stats());
  PublishStalls(watchdog_.stats(), slot_.live);
  PublishHttp();
  metrics::WorkerCounters& live = slot_.live;
  Store(live.attempts_started, attempts_.stats().started);
  Store(live.attempts_ended, attempts_.stats().ended);
  Store(live.attempt_run_microseconds, attempts_.stats().run_time_us);
  Store(slot_.attempts_running, attempts_.running());
  Store(live.log_lines_dropped, LogLinesDropped());
  Store(slot_.backdoor_sessions, backdoor_sessions_);
  PublishFetches();
  PublishOffload();
  if (topics_ != nullptr) StoreRows(metrics::kTopicCounters, *topics_, live);
  if (work_pools_ != nullptr) PublishWorkPools();
  if (spans_ == nullptr) return;
  for (size_t end = 0; end < spans_->size(); ++end) Store(live.spans[end], (*spans_)[end]);
}

void Publisher::set_work_pools(const WorkPools& pools, metrics::WorkPoolCells& cells) {
  if (pools.empty()) return;
  work_pools_ = &pools;
  pools.Visit(
      [&](const WorkPoolNumbers& pool) { pool_cells_.push_back(cells.Of(pool.kind, pool.name)); });
}

void Publisher::PublishWorkPools() {
  using metrics::WorkPoolCell;
  using metrics::WorkPoolLevel;
  size_t index = 0;
  work_pools_->Visit([&](const WorkPoolNumbers& pool) {
    const metrics::WorkPoolCells::Cells& cells = pool_cells_[index++];
    Store(cells.levels[WorkPoolLevel::kSize], pool.size);
    Store(cells.levels[WorkPoolLevel::kBusy], pool.busy);
    Store(cells.levels[WorkPoolLevel::kQueued], pool.queued);
    Store(cells.counts[WorkPoolCell::kCalls], pool.calls);
    Store(cells.counts[WorkPoolCell::kRefused], pool.refused);
    Store(cells.counts[WorkPoolCell::kDropped], pool.dropped);
    Store(cells.counts[WorkPoolCell::kFailures], pool.failures);
    Store(cells.counts[WorkPoolCell::kWaitMicros], pool.wait_seconds * 1e6);
    Store(cells.counts[WorkPoolCell::kRunMicros], pool.run_seconds * 1e6);
  });
}

void Publisher::PublishFetches() {
  const functions::FetchStats stats = fetch_.stats();
  StoreRows(metrics::kFetchLevels, stats, slot_);
  // The rest stands still while none ends, which most turns see none do.
  const uint64_t events =
      std::accumulate(stats.origins.put_off.begin(), stats.origins.put_off.end(), stats.fetches);
  if (events == fetches_ && stats.running + stats.waiting == 0 && fetches_settled_) return;
  fetches_ = events;
  fetches_settled_ = stats.running + stats.waiting == 0;
  metrics::WorkerCounters& live = slot_.live;
  StoreRows(metrics::kFetchCounters, stats, live);
  for (size_t i = 0; i < stats.outcomes.size(); ++i) {
    Store(live.fetch_outcomes[i], stats.outcomes[i]);
  }
  for (size_t i = 0; i < stats.durations.size(); ++i) {
    Store(live.fetch_durations[i], stats.durations[i]);
  }
  Store(live.fetch_duration_microseconds, stats.duration_nanos / 1000);
  Store(live.dns_microseconds, stats.lookup_micros);
  for (size_t i = 0; i < stats.origins.put_off.size(); ++i) {
    Store(live.origin_put_off[i], stats.origins.put_off[i]);
  }
  Store(live.origin_breaker_openings, stats.origins.breaker_openings);
}

void Publisher::PublishOffload() {
  const OffloadPool::Stats stats = offload_.stats();
  metrics::WorkerCounters& live = slot_.live;
  Store(slot_.offload_queued, stats.queued);
  Store(slot_.offload_running, stats.running);
  Store(live.offload_calls, stats.completed);
  Store(live.offload_dropped, stats.dropped);
  Store(live.offload_rejected, stats.rejected);
  Store(live.offload_wait_microseconds, stats.queue_seconds * 1e6);
  Store(live.offload_run_microseconds, stats.run_seconds * 1e6);
}

void Publisher::PublishHub(const HubStats& stats) {
  metrics::WorkerCounters& live = slot_.live;
  StoreRows(metrics::kHubCounters, stats, live);
  StoreRows(metrics::kHubLevels, stats, slot_);
  for (size_t bucket = 0; bucket < stats.lag_counts.size(); ++bucket) {
    Store(live.lag_counts[bucket], stats.lag_counts[bucket]);
  }
  Store(live.lag_microseconds_sum, stats.lag_seconds_sum * 1e6);
}

void Publisher::PublishHttp() {
  metrics::WorkerCounters& live = slot_.live;
  StoreRows(metrics::kHttpCounters, http_, live);
  StoreRows(metrics::kHttpLevels, http_, slot_);
  for (size_t where = 0; where < http_.timeouts.size(); ++where) {
    Store(live.http_timeouts[where], http_.timeouts[where]);
  }
  for (size_t kind = 0; kind < http_.refusals.size(); ++kind) {
    Store(live.http_refusals[kind], http_.refusals[kind]);
  }
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
