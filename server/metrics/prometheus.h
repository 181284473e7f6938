// RenderMetrics: the daemon's numbers in the Prometheus text format.
//
// Takes what the scoreboard, the task engine and /proc said, and returns text. Values of labels are
// bounded: which routes, tenants and other names have series of their own is kept on the scoreboard
// (label_set.h); the rest is added up as "_other".
#ifndef GROVE_SERVER_METRICS_PROMETHEUS_H_
#define GROVE_SERVER_METRICS_PROMETHEUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/metrics/process_numbers.h"
#include "server/metrics/scoreboard.h"
#include "server/tasks/counters.h"

namespace grove::metrics {

// Version 0.0.4 of the text format.
inline constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";

// One of the daemon's, or the place of one.
struct DaemonProcess {
  std::string name;  // as the log calls it
  size_t index = 0;  // in SharedSeries::processes
  int64_t pid = 0;   // 0: there is none now
  ProcessNumbers numbers;
};

// Names that have series of their own (metrics.* of the config).
struct LabelLimits {
  size_t tenants_max = 100;
  size_t routes_max = 100;
  size_t names_max = 200;
};

// A tenant's payloads on disk.
struct HeldPayloads {
  std::string tenant;
  int64_t files = 0;
  int64_t bytes = 0;
};

struct MetricsInput {
  // Sums of the dead, and which names are shown, are kept there.
  Scoreboard& scoreboard;
  LabelLimits limits;
  std::string version;
  int64_t now_monotonic_ns = 0;
  bool draining = false;
  // Durable tasks cannot be stored.
  bool audit_failing = false;
  uint64_t audit_waiting_bytes = 0;
  bool store_failing = false;
  // Nor should they be: its volume is nearly full.
  bool store_full = false;
  // By worker.
  std::vector<bool> linked;
  // By worker first, then the others.
  std::vector<DaemonProcess> processes;
  tasks::TaskCounters tasks;
  std::vector<HeldPayloads> payloads;
  int64_t waiters = 0;
  int64_t grpc_connections = 0;
  int64_t grpc_calls_waiting = 0;
  // What the daemon may use.
  int cpus = 0;
  int64_t memory_bytes = 0;
  // The rendering before this one.
  double render_seconds = 0;
};

// Of a control: the supervisor is its parent. Reads /proc.
std::vector<DaemonProcess> ReadProcesses(const Scoreboard& scoreboard);

std::string RenderMetrics(const MetricsInput& input);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_PROMETHEUS_H_
