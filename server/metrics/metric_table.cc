#include "server/metrics/metric_table.h"

namespace grove::metrics {
namespace {

constexpr MetricKind kCounter = MetricKind::kCounter;
constexpr MetricKind kGauge = MetricKind::kGauge;
constexpr MetricKind kHistogram = MetricKind::kHistogram;

constexpr MetricRow kRows[] = {
    {"grove_build_info", kGauge, "version", "Always 1; the version of the daemon is in the label."},
    {"grove_control_draining", kGauge, "", "1 while control drains, else 0."},
    {"grove_control_restarts_total", kCounter, "", "Restarts of control after a crash."},
    {"grove_control_connections", kGauge, "", "gRPC connections open now."},
    {"grove_control_connections_refused_total", kCounter, "",
     "gRPC connections closed at once, since control.connections_max were open."},
    {"grove_control_refused_tokens_total", kCounter, "",
     "gRPC calls refused for having no token or a wrong one."},
    {"grove_admin_refused_tokens_total", kCounter, "",
     "Requests of the admin port refused for having no token or a wrong one."},
    {"grove_store_failing", kGauge, "", "1 while durable tasks cannot be stored, else 0."},
    {"grove_store_full", kGauge, "",
     "1 while durable tasks are refused because the volume of state_dir is nearly full, else 0."},

    {"grove_http_requests_total", kCounter, "code", "HTTP requests answered, by status code."},
    {"grove_http_requests_by_method_total", kCounter, "method",
     "HTTP requests, refused ones too, by method; unusual ones are `other`."},
    {"grove_http_request_duration_seconds", kHistogram, "",
     "From a request's first byte to its answer, without WebSockets."},
    {"grove_http_requests_running", kGauge, "worker", "HTTP requests in a handler now."},
    {"grove_http_websockets", kGauge, "worker", "WebSockets open now."},
    {"grove_http_connections", kGauge, "worker", "HTTP connections open now."},
    {"grove_http_connections_idle", kGauge, "worker", "Of these, those that wait for a request."},
    {"grove_http_connections_total", kCounter, "worker", "HTTP connections accepted."},
    {"grove_http_accept_failures_total", kCounter, "worker",
     "Times that a worker could not accept a waiting connection: no descriptors or no memory."},
    {"grove_http_connections_full_total", kCounter, "worker",
     "Times that a worker had http.connections_max open and could take no more."},
    {"grove_http_connections_evicted_total", kCounter, "worker",
     "Connections that were closed, since they waited longest, to make room for new ones."},
    {"grove_http_websockets_over_budget_total", kCounter, "worker",
     "WebSockets closed with 1013: unfinished messages passed http.websocket_memory_max_bytes."},
    {"grove_http_parse_errors_total", kCounter, "worker", "Requests refused as malformed."},
    {"grove_http_timeouts_total", kCounter, "phase",
     "Clients too slow with a head or a body, or in taking a response."},
    {"grove_http_clients_gone_total", kCounter, "worker",
     "Requests whose client left before the answer was whole."},
    {"grove_http_access_log_lines_total", kCounter, "worker", "Lines of the access log written."},
    {"grove_http_access_log_dropped_total", kCounter, "worker",
     "Lines of the access log dropped, since its file took them too slowly or not at all."},
    {"grove_http_tls_handshakes_total", kCounter, "worker", "TLS handshakes of HTTP connections."},
    {"grove_http_tls_handshake_failures_total", kCounter, "worker",
     "TLS handshakes that failed, plain HTTP on a TLS port included."},
    {"grove_http_proxy_header_failures_total", kCounter, "worker",
     "Connections of proxies cut off for their PROXY header: malformed, missing or late."},
    {"grove_http_received_bytes_total", kCounter, "worker", "Bytes read from HTTP connections."},
    {"grove_http_sent_bytes_total", kCounter, "worker", "Bytes written to HTTP connections."},

    {"grove_tasks", kGauge, "function,state",
     "Tasks held now, ended ones that are retained included."},
    {"grove_tasks_ended_total", kCounter, "function,state", "Tasks that ended, by how."},
    {"grove_tasks_spawned_total", kCounter, "tenant,queue", "Tasks accepted."},
    {"grove_tasks_rejected_total", kCounter, "reason",
     "Spawns refused, by the ErrorInfo's reason."},
    {"grove_task_attempts_total", kCounter, "function,outcome", "Attempts that ended, by outcome."},
    {"grove_task_attempts_running", kGauge, "", "Attempts that run now."},
    {"grove_task_run_seconds_total", kCounter, "function",
     "Time that attempts spent on workers' hubs."},
    {"grove_task_queue_wait_seconds", kHistogram, "",
     "From the moment a task may run to the dispatch of its first attempt."},
    {"grove_task_store_writes_pending", kGauge, "", "Changes of durable tasks not yet on disk."},
    {"grove_task_memory_bytes", kGauge, "",
     "What control holds of tasks, and of changes that wait for the disk."},
    {"grove_task_memory_max_bytes", kGauge, "", "tasks.memory_max_bytes."},
    {"grove_task_waiters", kGauge, "", "Calls that wait for tasks to end."},

    {"grove_queue_depth", kGauge, "tenant,queue", "Tasks that wait to be started now."},
    {"grove_queue_scheduled", kGauge, "tenant,queue",
     "Tasks that wait for their delay or back-off."},
    {"grove_queue_running", kGauge, "tenant,queue", "Tasks of the queue that run now."},
    {"grove_queue_oldest_age_seconds", kGauge, "tenant,queue",
     "How long the oldest queued task has waited."},
    {"grove_queue_rejected_total", kCounter, "tenant,queue", "Spawns that the queue refused."},
    {"grove_pool_running", kGauge, "tenant,pool", "Tasks of the pool that run now."},
    {"grove_pool_size", kGauge, "tenant,pool", "Most tasks of the pool that may run at once."},

    {"grove_worker_up", kGauge, "worker",
     "1 if the worker is ready, linked to control and not stuck, else 0."},
    {"grove_worker_restarts_total", kCounter, "worker", "Restarts after a crash."},
    {"grove_worker_start_time_seconds", kGauge, "worker",
     "Start of the worker's process, since the epoch."},
    {"grove_worker_resident_memory_bytes", kGauge, "worker",
     "Resident memory of the worker's process."},
    {"grove_worker_fibers", kGauge, "worker", "Fibers that live now."},
    {"grove_worker_fibers_spawned_total", kCounter, "worker", "Fibers spawned."},
    {"grove_worker_uncaught_exceptions_total", kCounter, "worker",
     "Exceptions that left a fiber and nobody joined it."},
    {"grove_worker_attempts_running", kGauge, "worker", "Attempts that run on the worker now."},
    {"grove_worker_offload_queued", kGauge, "worker", "Blocking calls that wait for a thread."},
    {"grove_worker_offload_running", kGauge, "worker", "Blocking calls that run on a thread."},
    {"grove_worker_backdoor_sessions", kGauge, "worker", "Backdoor sessions open now."},
    {"grove_worker_fetches_total", kCounter, "worker", "Fetches by functions and handlers."},
    {"grove_worker_fetch_failures_total", kCounter, "worker", "Fetches that failed."},

    {"grove_hub_turns_total", kCounter, "worker", "Turns of the worker's hub."},
    {"grove_hub_switches_total", kCounter, "worker", "Switches between fibers."},
    {"grove_hub_lag_seconds", kHistogram, "worker", "How late timers fired."},
    {"grove_hub_stalls_total", kCounter, "worker",
     "Times that one fiber held the hub beyond runtime.stall_report_ms."},
    {"grove_hub_stall_seconds_total", kCounter, "worker", "Time that those stalls took."},
    {"grove_hub_run_queue_length", kGauge, "worker", "Fibers that are runnable now."},
    {"grove_hub_timers", kGauge, "worker", "Timers armed now."},
    {"grove_hub_last_turn_age_seconds", kGauge, "worker",
     "Age of the hub's last turn; large means that something blocks."},

    {"grove_log_lines_dropped_total", kCounter, "process",
     "Lines of the log dropped, since whoever reads it is too slow or has stopped."},

    {"grove_metrics_series_folded", kGauge, "",
     "Queues, pools and functions shown together as _other."},

    {"process_cpu_seconds_total", kCounter, "", "CPU time that control has used."},
    {"process_start_time_seconds", kGauge, "", "Start of control, since the epoch."},
    {"process_resident_memory_bytes", kGauge, "", "Resident memory of control."},
    {"process_virtual_memory_bytes", kGauge, "", "Virtual memory of control."},
    {"process_open_fds", kGauge, "", "Descriptors that control has open."},
    {"process_max_fds", kGauge, "", "Descriptors that control may open."},
    {"process_threads", kGauge, "", "Threads of control."},
};

}  // namespace

absl::Span<const MetricRow> MetricTable() {
  return kRows;
}

}  // namespace grove::metrics
