#include "server/metrics/task_samples.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/metrics/label_set.h"

namespace grove::metrics {
namespace {

using Pair = std::pair<std::string, std::string>;
using internal::v1::AttemptEnded;

// "TASK_STATE_QUEUED" as "queued".
std::string ShortName(std::string_view enum_name, std::string_view prefix) {
  ConsumePrefix(&enum_name, prefix);
  return absl::AsciiStrToLower(Abseil(enum_name));
}

std::string StateLabel(size_t state) {
  return ShortName(v1::TaskState_Name(static_cast<v1::TaskState>(state)), "TASK_STATE_");
}

std::string OutcomeLabel(size_t outcome) {
  return ShortName(AttemptEnded::Outcome_Name(static_cast<AttemptEnded::Outcome>(outcome)),
                   "OUTCOME_");
}

// "tenant name".
Pair Split(std::string_view key) {
  const size_t space = key.find(' ');
  return {std::string(key.substr(0, space)), std::string(key.substr(space + 1))};
}

// The numbers of a directory that stand for something, and what is counted there.
template <size_t kMax, size_t kCells>
std::vector<std::pair<std::string, std::array<uint64_t, kCells>>> Read(
    SeriesNames<kMax>& names, const SeriesCells<kMax, kCells>& cells) {
  std::vector<std::pair<std::string, std::array<uint64_t, kCells>>> read;
  const SeriesDirectory directory = names.directory();
  for (uint32_t number = 0; number <= directory.claimed(); ++number) {
    std::array<uint64_t, kCells> values;
    for (size_t i = 0; i < kCells; ++i) values[i] = cells.of[number][i].load();
    if (number == kOtherSeries) {
      if (values != decltype(values){}) read.emplace_back("", values);
    } else if (!directory.key(number).empty()) {
      read.emplace_back(directory.key(number), values);
    }
  }
  return read;
}

template <size_t kCells>
void AddTo(std::array<uint64_t, kCells>& sum, const std::array<uint64_t, kCells>& more) {
  for (size_t i = 0; i < kCells; ++i) sum[i] += more[i];
}

class TaskSamples {
 public:
  TaskSamples(const MetricsInput& input, MetricFamilies& families)
      : input_(input),
        series_(input.scoreboard.series()),
        families_(families),
        tenants_(series_.shown_tenants.directory(), input.limits.tenants_max),
        functions_(series_.shown_functions.directory(), input.limits.names_max),
        queues_(series_.shown_queues.directory(), input.limits.names_max),
        pools_(series_.shown_pools.directory(), input.limits.names_max) {}

  size_t Add() {
    Admit();
    AddTasks();
    AddTimes();
    AddQueues();
    AddPools();
    AddShares();
    AddQuotas();
    AddRefusals();
    AddSchedules();
    AddPayloads();
    for (const auto& [reason, cells] : Read(series_.reasons, series_.reason_cells)) {
      families_.Add("grove_tasks_rejected_total", {reason.empty() ? kOther : reason}, cells[0]);
    }
    return tenants_.folded() + functions_.folded() + queues_.folded() + pools_.folded();
  }

 private:
  // Use: what has happened, and what is there.
  void Admit() {
    std::vector<LabelSet::Candidate> tenants, functions, queues, pools;
    const auto note = [&](const Pair& of, double use) {
      tenants.push_back({of.first, use});
      functions.push_back({of.second, use});
    };
    for (const auto& [key, cells] : Read(series_.tasks, series_.task_cells)) {
      double use = 0;
      for (size_t i = 0; i < TaskCell::kRunMicros; ++i) use += static_cast<double>(cells[i]);
      if (!key.empty()) note(Split(key), use);
    }
    for (const auto& function : input_.tasks.functions) {
      double use = 0;
      for (const int64_t tasks : function.tasks) use += static_cast<double>(tasks);
      note({function.tenant, function.name}, use);
    }
    for (const auto& [key, cells] : Read(series_.functions, series_.function_cells)) {
      if (!key.empty()) functions.push_back({key, 0});
    }
    for (const auto& [key, cells] : Read(series_.queues, series_.queue_cells)) {
      if (key.empty()) continue;
      tenants.push_back({Split(key).first, static_cast<double>(cells[QueueCell::kSpawned])});
      queues.push_back({key, static_cast<double>(cells[QueueCell::kSpawned])});
    }
    for (const auto& queue : input_.tasks.queues) {
      tenants.push_back({queue.tenant, static_cast<double>(queue.queued + queue.running)});
      queues.push_back({StrCat(queue.tenant, " ", queue.name),
                        static_cast<double>(queue.queued + queue.running)});
    }
    for (const auto& pool : input_.tasks.pools) {
      tenants.push_back({pool.tenant, static_cast<double>(pool.running)});
      pools.push_back({StrCat(pool.tenant, " ", pool.name), static_cast<double>(pool.running)});
    }
    for (const auto& quota : input_.tasks.quotas) tenants.push_back({quota.tenant, 0});
    for (const auto& held : input_.payloads) tenants.push_back({held.tenant, 0});
    for (const auto& [key, cells] : Read(series_.payloads, series_.payload_cells)) {
      if (!key.empty()) tenants.push_back({key, 0});
    }
    const SeriesDirectory bound = series_.bound_tenants.directory();
    for (uint32_t number = 1; number <= bound.claimed(); ++number) {
      if (!bound.key(number).empty()) tenants.push_back({std::string(bound.key(number)), 0});
    }
    for (const auto& [key, cells] : Read(series_.tenants, series_.tenant_cells)) {
      if (!key.empty()) tenants.push_back({key, static_cast<double>(cells[0] + cells[1])});
    }
    tenants_.Admit(std::move(tenants));
    functions_.Admit(std::move(functions));
    queues_.Admit(std::move(queues));
    pools_.Admit(std::move(pools));
  }

  // Of a tenant's function: the two labels.
  Pair Shown(const Pair& of) { return {tenants_.Shown(of.first), functions_.Shown(of.second)}; }
  // Of a queue or pool, "tenant name".
  Pair Shown(std::string_view key, LabelSet& set) {
    if (key.empty() || set.Shown(key) == kOther) return {kOther, kOther};
    const Pair of = Split(key);
    return {tenants_.Shown(of.first), of.second};
  }

  void AddTasks() {
    struct Both {
      std::array<uint64_t, TaskCell::kCount> counted{};
      std::array<int64_t, v1::TaskState_ARRAYSIZE> held{};
    };
    std::map<Pair, Both> shown;
    for (const auto& [key, cells] : Read(series_.tasks, series_.task_cells)) {
      AddTo(shown[key.empty() ? Pair{kOther, kOther} : Shown(Split(key))].counted, cells);
    }
    for (const auto& function : input_.tasks.functions) {
      auto& held = shown[Shown({function.tenant, function.name})].held;
      for (size_t state = 0; state < held.size(); ++state) held[state] += function.tasks[state];
    }
    for (const auto& [labels, both] : shown) AddTasksOf(labels, both.counted, both.held);
  }

  void AddTasksOf(const Pair& labels, const std::array<uint64_t, TaskCell::kCount>& counted,
                  const std::array<int64_t, v1::TaskState_ARRAYSIZE>& held) {
    const auto& [tenant, function] = labels;
    for (size_t state = v1::TASK_STATE_SCHEDULED; state <= v1::TASK_STATE_TIMED_OUT; ++state) {
      families_.Add("grove_tasks", {tenant, function, StateLabel(state)}, held[state]);
      if (state < v1::TASK_STATE_SUCCEEDED) continue;
      families_.Add("grove_tasks_ended_total", {tenant, function, StateLabel(state)},
                    counted[TaskCell::kEnded + state]);
    }
    for (size_t outcome = 1; outcome < AttemptEnded::Outcome_ARRAYSIZE; ++outcome) {
      families_.Add("grove_task_attempts_total", {tenant, function, OutcomeLabel(outcome)},
                    counted[TaskCell::kOutcomes + outcome]);
    }
    families_.Add("grove_task_run_seconds_total", {tenant, function},
                  static_cast<double>(counted[TaskCell::kRunMicros]) / 1e6);
  }

  void AddTimes() {
    std::map<std::string, std::array<uint64_t, FunctionCell::kCount>> shown;
    for (const auto& function : input_.tasks.functions) shown[functions_.Shown(function.name)];
    for (const auto& [key, cells] : Read(series_.functions, series_.function_cells)) {
      AddTo(shown[key.empty() ? kOther : functions_.Shown(key)], cells);
    }
    for (const auto& [function, cells] : shown) {
      AddTime("grove_task_queue_wait_seconds", function, cells, FunctionCell::kWait);
      AddTime("grove_task_attempt_duration_seconds", function, cells, FunctionCell::kRun);
      AddTime("grove_task_duration_seconds", function, cells, FunctionCell::kWhole);
    }
  }

  void AddTime(const char* name, const std::string& function,
               const std::array<uint64_t, FunctionCell::kCount>& cells, size_t part) {
    const auto of = absl::MakeConstSpan(cells).subspan(part, kTaskTimeCells);
    families_.AddHistogram(name, {function}, of.first(kTaskTimeCells - 1),
                           static_cast<double>(of.back()) / 1e6);
  }

  void AddQueues() {
    std::map<Pair, tasks::TaskCounters::Queue> levels;
    std::map<Pair, std::array<uint64_t, QueueCell::kCount>> counted;
    for (const auto& queue : input_.tasks.queues) {
      const Pair labels = Shown(StrCat(queue.tenant, " ", queue.name), queues_);
      tasks::TaskCounters::Queue& sum = levels[labels];
      sum.queued += queue.queued;
      sum.scheduled += queue.scheduled;
      sum.running += queue.running;
      sum.oldest_age_us = std::max(sum.oldest_age_us, queue.oldest_age_us);
      sum.dead_letters += queue.dead_letters;
      counted[labels];
    }
    for (const auto& [key, cells] : Read(series_.queues, series_.queue_cells)) {
      AddTo(counted[Shown(key, queues_)], cells);
    }
    for (const auto& [labels, queue] : levels) {
      const std::vector<std::string> values = {labels.first, labels.second};
      families_.Add("grove_queue_depth", values, queue.queued);
      families_.Add("grove_queue_scheduled", values, queue.scheduled);
      families_.Add("grove_queue_running", values, queue.running);
      families_.Add("grove_queue_oldest_age_seconds", values, queue.oldest_age_us / 1e6);
      families_.Add("grove_queue_dead_letters", values, queue.dead_letters);
    }
    for (const auto& [labels, cells] : counted) {
      const std::vector<std::string> values = {labels.first, labels.second};
      families_.Add("grove_tasks_spawned_total", values, cells[QueueCell::kSpawned]);
      families_.Add("grove_queue_rejected_total", values, cells[QueueCell::kRejected]);
    }
  }

  void AddSchedules() {
    std::map<std::string, std::array<uint64_t, kScheduleOutcomes.size()>> shown;
    for (const auto& [key, cells] : Read(series_.schedules, series_.schedule_cells)) {
      AddTo(shown[key.empty() ? kOther : tenants_.Shown(key)], cells);
    }
    for (const auto& [tenant, cells] : shown) {
      for (size_t i = 0; i < cells.size(); ++i) {
        families_.Add("grove_schedule_runs_total", {tenant, std::string(kScheduleOutcomes[i])},
                      cells[i]);
      }
    }
    std::array<uint64_t, kTaskTimeCells> lateness;
    for (size_t i = 0; i < lateness.size(); ++i) lateness[i] = series_.schedule_lateness[i].load();
    families_.AddHistogram("grove_schedule_lateness_seconds", {},
                           absl::MakeConstSpan(lateness).first(kTaskTimeCells - 1),
                           static_cast<double>(lateness.back()) / 1e6);
  }

  void AddPayloads() {
    struct Sums {
      int64_t files = 0;
      int64_t bytes = 0;
      std::array<uint64_t, PayloadCell::kCount> counted{};
    };
    std::map<std::string, Sums> shown;
    for (const HeldPayloads& held : input_.payloads) {
      Sums& sums = shown[tenants_.Shown(held.tenant)];
      sums.files += held.files;
      sums.bytes += held.bytes;
    }
    for (const auto& [key, cells] : Read(series_.payloads, series_.payload_cells)) {
      AddTo(shown[key.empty() ? kOther : tenants_.Shown(key)].counted, cells);
    }
    constexpr std::pair<const char*, size_t> kCounted[] = {
        {"grove_payload_uploads_total", PayloadCell::kUploads},
        {"grove_payload_outputs_total", PayloadCell::kOutputs},
        {"grove_payload_downloads_total", PayloadCell::kDownloads},
        {"grove_payload_received_bytes_total", PayloadCell::kReceivedBytes},
        {"grove_payload_sent_bytes_total", PayloadCell::kSentBytes},
        {"grove_payload_refused_total", PayloadCell::kRefused},
    };
    for (const auto& [tenant, sums] : shown) {
      families_.Add("grove_payloads", {tenant}, sums.files);
      families_.Add("grove_payload_bytes", {tenant}, sums.bytes);
      for (const auto& [name, cell] : kCounted) families_.Add(name, {tenant}, sums.counted[cell]);
    }
    families_.Add("grove_payload_removed_total", {}, series_.payloads_removed.load());
    families_.Add("grove_payload_swept_total", {}, series_.payloads_swept.load());
  }

  void AddShares() {
    struct Share {
      double share = 0;
      double fair_share = 0;
      int64_t start_p99_us = 0;
    };
    // Those alone that have had some, which outlasts control: a total at 0 would go with it.
    std::map<std::string, std::array<uint64_t, TenantTimeCell::kCount>> times;
    for (const auto& [key, cells] : Read(series_.tenants, series_.tenant_cells)) {
      AddTo(times[key.empty() ? kOther : tenants_.Shown(key)], cells);
    }
    for (const auto& [tenant, us] : times) {
      families_.Add("grove_tenant_worker_seconds_total", {tenant},
                    us[TenantTimeCell::kWorker] / 1e6);
      families_.Add("grove_tenant_http_seconds_total", {tenant}, us[TenantTimeCell::kHttp] / 1e6);
    }
    std::map<std::string, Share> shown;
    for (const auto& tenant : input_.tasks.tenants) {
      Share& sum = shown[tenants_.Shown(tenant.name)];
      sum.share += tenant.share;
      sum.fair_share += tenant.fair_share;
      sum.start_p99_us = std::max(sum.start_p99_us, tenant.start_p99_us);
    }
    for (const auto& [tenant, of] : shown) {
      families_.Add("grove_tenant_share", {tenant}, of.share);
      families_.Add("grove_tenant_fair_share", {tenant}, of.fair_share);
      families_.Add("grove_tenant_start_wait_p99_seconds", {tenant}, of.start_p99_us / 1e6);
    }
    const tasks::TaskCounters& tasks = input_.tasks;
    families_.Add("grove_fairness_jain", {}, tasks.jain);
    families_.Add("grove_fairness_victim_start_wait_p99_seconds", {},
                  tasks.victim_start_p99_us / 1e6);
    families_.Add("grove_fairness_longest_gap_seconds", {}, tasks.longest_gap_us / 1e6);
    families_.Add("grove_fairness_idle_slot_seconds_total", {},
                  static_cast<double>(series_.idle_slot_microseconds.load()) / 1e6);
  }

  void AddRefusals() {
    struct Sums {
      uint64_t requests = 0;
      uint64_t rate = 0;
      uint64_t fetch_waits = 0;
    };
    std::map<std::string, Sums> shown;
    const SeriesDirectory names = series_.bound_tenants.directory();
    for (uint32_t number = 1; number <= names.claimed(); ++number) {
      if (names.key(number).empty()) continue;
      const TenantCells& cells = series_.bound_cells.of[number];
      Sums& sums = shown[tenants_.Shown(names.key(number))];
      sums.requests += cells.refused_requests.load();
      sums.rate += cells.refused_rate.load();
      sums.fetch_waits += cells.fetch_waits.load();
    }
    for (const auto& [tenant, sums] : shown) {
      families_.Add("grove_tenant_http_refused_total", {tenant, "http_requests"}, sums.requests);
      families_.Add("grove_tenant_http_refused_total", {tenant, "http_rate"}, sums.rate);
      families_.Add("grove_tenant_fetch_waits_total", {tenant}, sums.fetch_waits);
    }
  }

  // Of those that share a label, the sums.
  void AddQuotas() {
    std::map<Pair, std::pair<int64_t, int64_t>> shown;  // used, max
    for (const auto& quota : input_.tasks.quotas) {
      auto& [used, max] = shown[{tenants_.Shown(quota.tenant), std::string(quota.quota)}];
      used += quota.used;
      max += quota.max;
    }
    for (const auto& [labels, quota] : shown) {
      families_.Add("grove_tenant_quota_used", {labels.first, labels.second}, quota.first);
      families_.Add("grove_tenant_quota_max", {labels.first, labels.second}, quota.second);
    }
  }

  void AddPools() {
    std::map<Pair, std::pair<int64_t, int64_t>> shown;  // size, running
    for (const auto& pool : input_.tasks.pools) {
      auto& [size, running] = shown[Shown(StrCat(pool.tenant, " ", pool.name), pools_)];
      size += pool.size;
      running += pool.running;
    }
    for (const auto& [labels, pool] : shown) {
      families_.Add("grove_pool_size", {labels.first, labels.second}, pool.first);
      families_.Add("grove_pool_running", {labels.first, labels.second}, pool.second);
    }
  }

  const MetricsInput& input_;
  SharedSeries& series_;
  MetricFamilies& families_;
  LabelSet tenants_;
  LabelSet functions_;
  LabelSet queues_;
  LabelSet pools_;
};

}  // namespace

size_t AddTasks(const MetricsInput& input, MetricFamilies& families) {
  const tasks::TaskCounters& tasks = input.tasks;
  families.Add("grove_task_attempts_running", {}, tasks.attempts_running);
  families.Add("grove_task_store_writes_pending", {}, tasks.writes_pending);
  families.Add("grove_task_memory_bytes", {}, tasks.memory_bytes);
  families.Add("grove_task_memory_max_bytes", {}, tasks.memory_max_bytes);
  families.Add("grove_task_waiters", {}, input.waiters);
  return TaskSamples(input, families).Add();
}

void AddCalls(const MetricsInput& input, MetricFamilies& families) {
  SharedSeries& series = input.scoreboard.series();
  for (const auto& [key, cells] : Read(series.calls, series.call_cells)) {
    const Pair of = key.empty() ? Pair{kOther, kOther} : Split(key);  // code, method
    const std::vector<std::string> values = {of.second, of.first};
    families.Add("grove_rpcs_total", values, cells[CallCell::kCalls]);
    families.Add("grove_rpc_seconds_total", values,
                 static_cast<double>(cells[CallCell::kMicros]) / 1e6);
  }
}

}  // namespace grove::metrics
