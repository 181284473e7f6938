#include "server/metrics/worker_samples.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "runtime/hub/hub_stats.h"
#include "runtime/switch/abseil_text.h"
#include "server/metrics/published.h"

namespace grove::metrics {
namespace {

using Labels = std::vector<std::string>;

double Load(const std::atomic<int64_t>& level) {
  return static_cast<double>(level.load(std::memory_order_relaxed));
}

uint64_t Load(const WorkerCounters::Counter& counter) {
  return counter.load(std::memory_order_relaxed);
}

template <typename Rows>
void AddCounters(const Rows& rows, const WorkerSlot& slot, const Labels& labels,
                 MetricFamilies& families) {
  for (const auto& row : rows) {
    if (row.metric == nullptr) continue;
    families.Add(row.metric, labels, Scoreboard::Total(slot, row.published));
  }
}

template <typename Rows>
void AddLevels(const Rows& rows, const WorkerSlot& slot, const Labels& labels,
               MetricFamilies& families) {
  for (const auto& row : rows) families.Add(row.metric, labels, Load(slot.*row.published));
}

void AddWorkerCounters(const WorkerSlot& slot, const Labels& labels, MetricFamilies& families) {
  AddCounters(kHttpCounters, slot, labels, families);
  AddCounters(kHubCounters, slot, labels, families);
  AddCounters(kFetchCounters, slot, labels, families);
  AddCounters(kTopicCounters, slot, labels, families);
  struct Row {
    const char* name;
    WorkerCounters::Counter WorkerCounters::*counter;
  };
  static constexpr Row kRows[] = {
      {"grove_http_access_log_lines_total", &WorkerCounters::access_log_lines},
      {"grove_http_access_log_dropped_total", &WorkerCounters::access_log_dropped},
      {"grove_hub_stalls_total", &WorkerCounters::hub_stalls},
      {"grove_worker_offload_calls_total", &WorkerCounters::offload_calls},
      {"grove_worker_offload_dropped_total", &WorkerCounters::offload_dropped},
      {"grove_worker_offload_rejected_total", &WorkerCounters::offload_rejected},
  };
  for (const Row& row : kRows) {
    families.Add(row.name, labels, Scoreboard::Total(slot, row.counter));
  }
  static constexpr Row kMicroseconds[] = {
      {"grove_hub_stall_seconds_total", &WorkerCounters::hub_stall_microseconds},
      {"grove_worker_offload_wait_seconds_total", &WorkerCounters::offload_wait_microseconds},
      {"grove_worker_offload_run_seconds_total", &WorkerCounters::offload_run_microseconds},
      {"grove_dns_lookup_seconds_total", &WorkerCounters::dns_microseconds},
  };
  for (const Row& row : kMicroseconds) {
    families.Add(row.name, labels, static_cast<double>(Scoreboard::Total(slot, row.counter)) / 1e6);
  }
  families.Add("grove_worker_restarts_total", labels, Load(slot.restarts));
}

void AddWorkerLevels(const WorkerSlot& slot, const Labels& labels, MetricFamilies& families) {
  AddLevels(kHttpLevels, slot, labels, families);
  AddLevels(kHubLevels, slot, labels, families);
  AddLevels(kFetchLevels, slot, labels, families);
  struct Row {
    const char* name;
    const std::atomic<int64_t> WorkerSlot::*level;
  };
  static constexpr Row kRows[] = {
      {"grove_worker_attempts_running", &WorkerSlot::attempts_running},
      {"grove_worker_offload_queued", &WorkerSlot::offload_queued},
      {"grove_worker_offload_running", &WorkerSlot::offload_running},
      {"grove_worker_backdoor_sessions", &WorkerSlot::backdoor_sessions},
      {"grove_worker_quick_deaths", &WorkerSlot::quick_deaths},
  };
  for (const Row& row : kRows) families.Add(row.name, labels, Load(slot.*row.level));
  families.Add("grove_worker_start_time_seconds", labels, Load(slot.start_time_us) / 1e6);
}

void AddHubLag(const WorkerSlot& slot, const Labels& labels, MetricFamilies& families) {
  std::array<uint64_t, WorkerCounters::kLagBuckets> counts;
  for (int i = 0; i < WorkerCounters::kLagBuckets; ++i) {
    counts[i] = Load(slot.base.lag_counts[i]) + Load(slot.live.lag_counts[i]);
  }
  const uint64_t sum_us = Scoreboard::Total(slot, &WorkerCounters::lag_microseconds_sum);
  families.AddHistogram("grove_hub_lag_seconds", labels, counts, static_cast<double>(sum_us) / 1e6);
}

// Of all workers and the stand-in; counts also of the dead.
void AddWorkPools(Scoreboard& board, MetricFamilies& families) {
  const SeriesDirectory names = board.series().work_pools.directory();
  for (uint32_t number = 0; number <= names.claimed(); ++number) {
    const std::string_view key = number == kOtherSeries ? kOther : names.key(number);
    if (key.empty() || (number == kOtherSeries && names.dropped() == 0)) continue;
    std::array<uint64_t, WorkPoolCell::kCount> counts{};
    std::array<uint64_t, WorkPoolLevel::kCount> levels{};
    const auto add = [&](const WorkerSeries& series) {
      for (size_t i = 0; i < counts.size(); ++i) counts[i] += Load(series.work_pools.of[number][i]);
      for (size_t i = 0; i < levels.size(); ++i) {
        levels[i] += Load(series.work_pool_levels.of[number][i]);
      }
    };
    add(board.series().dead);
    for (int worker = 0; worker < board.workers(); ++worker) add(board.worker_series(worker));
    add(board.worker_series(Scoreboard::kStandIn));
    const size_t space = key.find(' ');
    const Labels labels = space == key.npos ? Labels{kOther, kOther}
                                            : Labels{std::string(key.substr(0, space)),
                                                     std::string(key.substr(space + 1))};
    families.Add("grove_work_pool_size", labels, levels[WorkPoolLevel::kSize]);
    families.Add("grove_work_pool_busy", labels, levels[WorkPoolLevel::kBusy]);
    families.Add("grove_work_pool_queued", labels, levels[WorkPoolLevel::kQueued]);
    families.Add("grove_work_pool_calls_total", labels, counts[WorkPoolCell::kCalls]);
    families.Add("grove_work_pool_refused_total", labels, counts[WorkPoolCell::kRefused]);
    families.Add("grove_work_pool_dropped_total", labels, counts[WorkPoolCell::kDropped]);
    families.Add("grove_work_pool_failures_total", labels, counts[WorkPoolCell::kFailures]);
    families.Add("grove_work_pool_wait_seconds_total", labels,
                 static_cast<double>(counts[WorkPoolCell::kWaitMicros]) / 1e6);
    families.Add("grove_work_pool_run_seconds_total", labels,
                 static_cast<double>(counts[WorkPoolCell::kRunMicros]) / 1e6);
  }
}

}  // namespace

void AddWorkers(const MetricsInput& input, MetricFamilies& families) {
  for (int worker = 0; worker < input.scoreboard.workers(); ++worker) {
    const WorkerSlot& slot = input.scoreboard.slot(worker);
    const Labels labels = {StrCat(worker)};
    AddWorkerCounters(slot, labels, families);
    AddHubLag(slot, labels, families);
    // Of a worker that was scaled away only the totals stay: it is not down.
    if (slot.state.load() == SlotState::kEmpty) continue;
    AddWorkerLevels(slot, labels, families);
    const size_t index = static_cast<size_t>(worker);
    const bool linked = index < input.linked.size() && input.linked[index];
    const bool up = linked && slot.state.load() == SlotState::kReady &&
                    !input.scoreboard.IsStuck(worker, input.now_monotonic_ns);
    families.Add("grove_worker_up", labels, up ? 1 : 0);
    const bool has_numbers = index < input.processes.size();
    families.Add("grove_worker_resident_memory_bytes", labels,
                 has_numbers ? input.processes[index].numbers.resident_bytes : 0);
    const int64_t last_turn = slot.last_turn_ns.load(std::memory_order_relaxed);
    const int64_t age =
        last_turn == 0 ? 0 : std::max<int64_t>(0, input.now_monotonic_ns - last_turn);
    families.Add("grove_hub_last_turn_age_seconds", labels, age / 1e9);
  }
  AddWorkPools(input.scoreboard, families);
}

}  // namespace grove::metrics
