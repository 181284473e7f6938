#include "server/metrics/prometheus.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/http/serving/stats.h"
#include "server/metrics/families.h"
#include "server/metrics/published.h"

namespace grove::metrics {
namespace {

using Labels = std::vector<std::string>;

constexpr char kOther[] = "_other";

double Load(const std::atomic<int64_t>& level) {
  return static_cast<double>(level.load(std::memory_order_relaxed));
}

uint64_t Load(const WorkerCounters::Counter& counter) {
  return counter.load(std::memory_order_relaxed);
}

// "TASK_STATE_QUEUED" as "queued".
std::string ShortName(std::string_view enum_name, std::string_view prefix) {
  ConsumePrefix(&enum_name, prefix);
  return absl::AsciiStrToLower(Abseil(enum_name));
}

std::string TaskStateLabel(int state) {
  return ShortName(v1::TaskState_Name(static_cast<v1::TaskState>(state)), "TASK_STATE_");
}

std::string OutcomeLabel(int outcome) {
  using internal::v1::AttemptEnded;
  return ShortName(AttemptEnded::Outcome_Name(static_cast<AttemptEnded::Outcome>(outcome)),
                   "OUTCOME_");
}

// What is told of all workers together counts the stand-in too, whose slot comes after theirs.
void AddHttpRequests(const Scoreboard& board, MetricFamilies& families) {
  for (int code = 0; code < WorkerCounters::kHttpCodes; ++code) {
    uint64_t total = 0;
    board.ForEachSlot([&](const WorkerSlot& slot) {
      total += Load(slot.base.http_responses[code]) + Load(slot.live.http_responses[code]);
    });
    // 200 stands from the start, so that rates have a first sample.
    if (total > 0 || code == 200) {
      families.Add("grove_http_requests_total", {StrCat(code)}, total);
    }
  }
}

// Live and dead, of all workers and the stand-in.
template <size_t kCount>
std::array<uint64_t, kCount> Sums(
    const Scoreboard& board,
    std::array<WorkerCounters::Counter, kCount> WorkerCounters::*counters) {
  std::array<uint64_t, kCount> sums{};
  board.ForEachSlot([&](const WorkerSlot& slot) {
    for (size_t i = 0; i < kCount; ++i) {
      sums[i] += Load((slot.base.*counters)[i]) + Load((slot.live.*counters)[i]);
    }
  });
  return sums;
}

void AddHttpTotals(const Scoreboard& board, MetricFamilies& families) {
  const auto methods = Sums(board, &WorkerCounters::http_methods);
  for (size_t i = 0; i < methods.size(); ++i) {
    families.Add("grove_http_requests_by_method_total", {std::string(http::kCountedMethods[i])},
                 methods[i]);
  }
  const auto timeouts = Sums(board, &WorkerCounters::http_timeouts);
  for (size_t i = 0; i < timeouts.size(); ++i) {
    families.Add("grove_http_timeouts_total", {std::string(http::kTimedOut[i])}, timeouts[i]);
  }
  uint64_t microseconds = 0;
  board.ForEachSlot([&](const WorkerSlot& slot) {
    microseconds += Scoreboard::Total(slot, &WorkerCounters::http_duration_microseconds);
  });
  families.AddHistogram("grove_http_request_duration_seconds", {}, http::kDurationBounds,
                        Sums(board, &WorkerCounters::http_durations),
                        static_cast<double>(microseconds) / 1e6);
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
  struct Row {
    const char* name;
    WorkerCounters::Counter WorkerCounters::*counter;
  };
  static constexpr Row kRows[] = {
      {"grove_http_access_log_lines_total", &WorkerCounters::access_log_lines},
      {"grove_http_access_log_dropped_total", &WorkerCounters::access_log_dropped},
      {"grove_worker_fetches_total", &WorkerCounters::fetches},
      {"grove_worker_fetch_failures_total", &WorkerCounters::fetch_failures},
      {"grove_hub_stalls_total", &WorkerCounters::hub_stalls},
  };
  for (const Row& row : kRows) {
    families.Add(row.name, labels, Scoreboard::Total(slot, row.counter));
  }
  families.Add(
      "grove_hub_stall_seconds_total", labels,
      static_cast<double>(Scoreboard::Total(slot, &WorkerCounters::hub_stall_microseconds)) / 1e6);
  families.Add("grove_worker_restarts_total", labels, Load(slot.restarts));
}

void AddWorkerLevels(const WorkerSlot& slot, const Labels& labels, MetricFamilies& families) {
  AddLevels(kHttpLevels, slot, labels, families);
  AddLevels(kHubLevels, slot, labels, families);
  struct Row {
    const char* name;
    const std::atomic<int64_t> WorkerSlot::*level;
  };
  static constexpr Row kRows[] = {
      {"grove_worker_attempts_running", &WorkerSlot::attempts_running},
      {"grove_worker_offload_queued", &WorkerSlot::offload_queued},
      {"grove_worker_offload_running", &WorkerSlot::offload_running},
      {"grove_worker_backdoor_sessions", &WorkerSlot::backdoor_sessions},
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
  families.AddHistogram("grove_hub_lag_seconds", labels, HubStats::kLagBounds, counts,
                        static_cast<double>(sum_us) / 1e6);
}

void AddWorkers(const MetricsInput& input, MetricFamilies& families) {
  for (int worker = 0; worker < input.scoreboard.workers(); ++worker) {
    const WorkerSlot& slot = input.scoreboard.slot(worker);
    const Labels labels = {StrCat(worker)};
    AddWorkerCounters(slot, labels, families);
    AddWorkerLevels(slot, labels, families);
    AddHubLag(slot, labels, families);
    const size_t index = static_cast<size_t>(worker);
    const bool linked = index < input.linked.size() && input.linked[index];
    const bool up = linked && slot.state.load() == SlotState::kReady &&
                    !input.scoreboard.IsStuck(worker, input.now_monotonic_ns);
    families.Add("grove_worker_up", labels, up ? 1 : 0);
    const int64_t resident = index < input.resident_bytes.size() ? input.resident_bytes[index] : 0;
    families.Add("grove_worker_resident_memory_bytes", labels, resident);
    const int64_t last_turn = slot.last_turn_ns.load(std::memory_order_relaxed);
    const int64_t age =
        last_turn == 0 ? 0 : std::max<int64_t>(0, input.now_monotonic_ns - last_turn);
    families.Add("grove_hub_last_turn_age_seconds", labels, age / 1e9);
  }
}

void AddFunctions(std::vector<tasks::TaskCounters::Function> functions, MetricFamilies& families) {
  if (functions.size() > kSeriesMax) {
    tasks::TaskCounters::Function& other = functions[kSeriesMax];
    other.name = kOther;
    for (size_t i = kSeriesMax + 1; i < functions.size(); ++i) {
      for (size_t s = 0; s < other.tasks.size(); ++s) other.tasks[s] += functions[i].tasks[s];
      for (size_t s = 0; s < other.tasks_ended.size(); ++s) {
        other.tasks_ended[s] += functions[i].tasks_ended[s];
      }
      for (size_t s = 0; s < other.attempts_ended.size(); ++s) {
        other.attempts_ended[s] += functions[i].attempts_ended[s];
      }
      other.run_time_us += functions[i].run_time_us;
    }
    functions.resize(kSeriesMax + 1);
  }
  for (const tasks::TaskCounters::Function& function : functions) {
    for (int state = v1::TASK_STATE_SCHEDULED; state <= v1::TASK_STATE_TIMED_OUT; ++state) {
      families.Add("grove_tasks", {function.name, TaskStateLabel(state)}, function.tasks[state]);
      if (state < v1::TASK_STATE_SUCCEEDED) continue;
      families.Add("grove_tasks_ended_total", {function.name, TaskStateLabel(state)},
                   function.tasks_ended[state]);
    }
    for (size_t outcome = 1; outcome < function.attempts_ended.size(); ++outcome) {
      families.Add("grove_task_attempts_total",
                   {function.name, OutcomeLabel(static_cast<int>(outcome))},
                   function.attempts_ended[outcome]);
    }
    families.Add("grove_task_run_seconds_total", {function.name}, function.run_time_us / 1e6);
  }
}

void AddQueues(std::vector<tasks::TaskCounters::Queue> queues, MetricFamilies& families) {
  if (queues.size() > kSeriesMax) {
    tasks::TaskCounters::Queue& other = queues[kSeriesMax];
    other.tenant = other.name = kOther;
    for (size_t i = kSeriesMax + 1; i < queues.size(); ++i) {
      other.queued += queues[i].queued;
      other.scheduled += queues[i].scheduled;
      other.running += queues[i].running;
      other.oldest_age_us = std::max(other.oldest_age_us, queues[i].oldest_age_us);
      other.spawned_total += queues[i].spawned_total;
      other.rejected_total += queues[i].rejected_total;
    }
    queues.resize(kSeriesMax + 1);
  }
  for (const tasks::TaskCounters::Queue& queue : queues) {
    const Labels labels = {queue.tenant, queue.name};
    families.Add("grove_queue_depth", labels, queue.queued);
    families.Add("grove_queue_scheduled", labels, queue.scheduled);
    families.Add("grove_queue_running", labels, queue.running);
    families.Add("grove_queue_oldest_age_seconds", labels, queue.oldest_age_us / 1e6);
    families.Add("grove_queue_rejected_total", labels, queue.rejected_total);
    families.Add("grove_tasks_spawned_total", labels, queue.spawned_total);
  }
}

void AddPools(std::vector<tasks::TaskCounters::Pool> pools, MetricFamilies& families) {
  if (pools.size() > kSeriesMax) {
    tasks::TaskCounters::Pool& other = pools[kSeriesMax];
    other.tenant = other.name = kOther;
    for (size_t i = kSeriesMax + 1; i < pools.size(); ++i) {
      other.size += pools[i].size;
      other.running += pools[i].running;
    }
    pools.resize(kSeriesMax + 1);
  }
  for (const tasks::TaskCounters::Pool& pool : pools) {
    families.Add("grove_pool_running", {pool.tenant, pool.name}, pool.running);
    families.Add("grove_pool_size", {pool.tenant, pool.name}, pool.size);
  }
}

size_t FoldedCount(size_t size) {
  return size > kSeriesMax ? size - kSeriesMax : 0;
}

void AddLogs(const Scoreboard& board, MetricFamilies& families) {
  constexpr char kDropped[] = "grove_log_lines_dropped_total";
  const ControlSlot& control = board.control();
  families.Add(kDropped, {"supervisor"}, Load(control.supervisor_log_lines_dropped));
  families.Add(kDropped, {"control"},
               Load(control.log_lines_dropped) + Load(control.log_lines_dropped_before));
  for (int worker = 0; worker < board.workers(); ++worker) {
    families.Add(kDropped, {StrCat("worker-", worker)},
                 Scoreboard::Total(board.slot(worker), &WorkerCounters::log_lines_dropped));
  }
}

void AddTasks(const MetricsInput& input, MetricFamilies& families) {
  const tasks::TaskCounters& tasks = input.tasks;
  AddFunctions(tasks.functions, families);
  AddQueues(tasks.queues, families);
  AddPools(tasks.pools, families);
  absl::btree_map<std::string, int64_t> rejected = tasks.rejected;
  for (const auto& [reason, count] : input.rejected) rejected[reason] += count;
  for (const auto& [reason, count] : rejected) {
    families.Add("grove_tasks_rejected_total", {reason}, count);
  }
  families.Add("grove_task_attempts_running", {}, tasks.attempts_running);
  families.Add("grove_task_store_writes_pending", {}, tasks.writes_pending);
  families.Add("grove_task_memory_bytes", {}, tasks.memory_bytes);
  families.Add("grove_task_memory_max_bytes", {}, tasks.memory_max_bytes);
  families.Add("grove_task_waiters", {}, input.waiters);
  families.AddHistogram("grove_task_queue_wait_seconds", {}, input.queue_wait.bounds(),
                        input.queue_wait.counts(), input.queue_wait.sum());
  families.Add("grove_metrics_series_folded", {},
               FoldedCount(tasks.functions.size()) + FoldedCount(tasks.queues.size()) +
                   FoldedCount(tasks.pools.size()));
}

void AddProcess(const ProcessNumbers& process, MetricFamilies& families) {
  families.Add("process_cpu_seconds_total", {}, process.cpu_seconds);
  families.Add("process_start_time_seconds", {}, process.start_time_seconds);
  families.Add("process_resident_memory_bytes", {}, process.resident_bytes);
  families.Add("process_virtual_memory_bytes", {}, process.virtual_bytes);
  families.Add("process_open_fds", {}, process.open_fds);
  families.Add("process_max_fds", {}, process.max_fds);
  families.Add("process_threads", {}, process.threads);
}

}  // namespace

std::string RenderMetrics(const MetricsInput& input) {
  MetricFamilies families;
  families.Add("grove_build_info", {input.version}, 1);
  families.Add("grove_control_draining", {}, input.draining ? 1 : 0);
  families.Add("grove_control_restarts_total", {}, Load(input.scoreboard.control().restarts));
  families.Add("grove_control_connections", {}, input.grpc_connections);
  families.Add("grove_control_connections_refused_total", {}, input.grpc_connections_refused);
  families.Add("grove_control_refused_tokens_total", {}, input.tokens_refused);
  families.Add("grove_admin_refused_tokens_total", {}, input.admin_tokens_refused);
  families.Add("grove_store_failing", {}, input.store_failing ? 1 : 0);
  families.Add("grove_store_full", {}, input.store_full ? 1 : 0);
  AddHttpRequests(input.scoreboard, families);
  AddHttpTotals(input.scoreboard, families);
  AddWorkers(input, families);
  AddLogs(input.scoreboard, families);
  AddTasks(input, families);
  AddProcess(input.process, families);
  return families.Render();
}

}  // namespace grove::metrics
