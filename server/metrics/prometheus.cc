#include "server/metrics/prometheus.h"

#include "runtime/switch/abseil_text.h"
#include "server/metrics/families.h"
#include "server/metrics/http_samples.h"
#include "server/metrics/own_samples.h"
#include "server/metrics/process_samples.h"
#include "server/metrics/task_samples.h"
#include "server/metrics/worker_samples.h"

namespace grove::metrics {
namespace {

double Sum(const std::atomic<uint64_t>& live, const std::atomic<uint64_t>& before) {
  return static_cast<double>(live.load(std::memory_order_relaxed) +
                             before.load(std::memory_order_relaxed));
}

void AddControl(const MetricsInput& input, MetricFamilies& families) {
  const ControlSlot& control = input.scoreboard.control();
  families.Add("grove_build_info", {input.version, "gcc " __VERSION__}, 1);
  families.Add("grove_control_draining", {}, input.draining ? 1 : 0);
  families.Add("grove_control_restarts_total", {}, control.restarts.load());
  families.Add("grove_control_connections", {}, input.grpc_connections);
  families.Add("grove_control_connections_refused_total", {},
               Sum(control.connections_refused, control.connections_refused_before));
  families.Add("grove_control_calls_waiting", {}, input.grpc_calls_waiting);
  families.Add("grove_control_calls_refused_total", {},
               Sum(control.calls_refused, control.calls_refused_before));
  families.Add("grove_control_refused_tokens_total", {},
               Sum(control.tokens_refused, control.tokens_refused_before));
  families.Add("grove_admin_refused_tokens_total", {},
               Sum(control.admin_tokens_refused, control.admin_tokens_refused_before));
  families.Add("grove_audit_failing", {}, input.audit_failing ? 1 : 0);
  families.Add("grove_audit_waiting_bytes", {}, static_cast<double>(input.audit_waiting_bytes));
  families.Add("grove_store_failing", {}, input.store_failing ? 1 : 0);
  families.Add("grove_store_full", {}, input.store_full ? 1 : 0);
}

void AddExits(const std::string& process, const Exits& exits, MetricFamilies& families) {
  for (size_t reason = 0; reason < exits.counts.size(); ++reason) {
    const uint64_t count = exits.counts[reason].load(std::memory_order_relaxed);
    // A crash stands from the start, so that rates have a first sample.
    if (count == 0 && reason != static_cast<size_t>(ExitReason::kCrash)) continue;
    families.Add("grove_process_exits_total", {process, std::string(kExitReasonNames[reason])},
                 static_cast<double>(count));
  }
}

// What the supervisor tells.
void AddOperations(const Scoreboard& board, MetricFamilies& families) {
  const ControlSlot& control = board.control();
  families.Add("grove_config_generation", {},
               static_cast<double>(control.config_generation.load()));
  for (size_t kind = 0; kind < kOperationKinds.size(); ++kind) {
    for (size_t outcome = 0; outcome < kOperationOutcomes.size(); ++outcome) {
      families.Add("grove_operations_total",
                   {std::string(kOperationKinds[kind]), std::string(kOperationOutcomes[outcome])},
                   static_cast<double>(control.operations.ended[kind][outcome].load()));
    }
  }
  families.Add("grove_process_start_failures_total", {"worker"},
               control.worker_start_failures.load());
  families.Add("grove_process_start_failures_total", {"control"},
               control.control_start_failures.load());
  AddExits("control", control.exits, families);
  AddExits("stand-in", board.stand_in().exits, families);
  for (int worker = 0; worker < board.workers(); ++worker) {
    AddExits(StrCat("worker-", worker), board.slot(worker).exits, families);
  }
}

void AddSharedTable(const TableNumbers& table, MetricFamilies& families) {
  families.Add("grove_shared_table_rows", {}, static_cast<double>(table.rows.load()));
  families.Add("grove_shared_table_rows_max", {}, static_cast<double>(table.rows_max.load()));
  families.Add("grove_shared_table_locks", {}, static_cast<double>(table.locks.load()));
  families.Add("grove_shared_table_refused_total", {}, table.refusals.load());
}

void AddLogs(const Scoreboard& board, MetricFamilies& families) {
  constexpr char kDropped[] = "grove_log_lines_dropped_total";
  const ControlSlot& control = board.control();
  families.Add(kDropped, {"supervisor"}, control.supervisor_log_lines_dropped.load());
  families.Add(kDropped, {"control"},
               Sum(control.log_lines_dropped, control.log_lines_dropped_before));
  for (int worker = 0; worker < board.workers(); ++worker) {
    families.Add(kDropped, {StrCat("worker-", worker)},
                 Scoreboard::Total(board.slot(worker), &WorkerCounters::log_lines_dropped));
  }
}

void AddDropped(Scoreboard& board, MetricFamilies& families) {
  SharedSeries& series = board.series();
  const std::pair<const char*, SeriesDirectory> all[] = {
      {"requests", series.requests.directory()},
      {"routes", series.routes.directory()},
      {"tasks", series.tasks.directory()},
      {"functions", series.functions.directory()},
      {"queues", series.queues.directory()},
      {"reasons", series.reasons.directory()},
      {"calls", series.calls.directory()},
      {"schedules", series.schedules.directory()},
      {"application", series.own.counters.directory()},
  };
  for (const auto& [of, directory] : all) {
    families.Add("grove_metrics_series_dropped_total", {of}, directory.dropped());
  }
}

}  // namespace

std::string RenderMetrics(const MetricsInput& input) {
  const std::vector<OwnMetric> own = ReadOwnMetrics(input.scoreboard.series().own);
  MetricFamilies families;
  AddControl(input, families);
  AddOperations(input.scoreboard, families);
  AddCalls(input, families);
  const size_t routes_folded = AddHttp(input, families);
  AddWorkers(input, families);
  AddSharedTable(input.scoreboard.control().table, families);
  AddLogs(input.scoreboard, families);
  const size_t names_folded = AddTasks(input, families);
  families.Add("grove_metrics_series_folded", {}, routes_folded + names_folded);
  families.Add("grove_metrics_render_seconds", {}, input.render_seconds);
  AddDropped(input.scoreboard, families);
  AddProcesses(input, families);
  AddOwn(input.scoreboard, own, families);
  return families.Render();
}

}  // namespace grove::metrics
