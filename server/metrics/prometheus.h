// RenderMetrics: the daemon's numbers in the Prometheus text format.
//
// Pure: takes what the scoreboard, the task engine and /proc said, and returns text. Label values
// are bounded: past kSeriesMax queues, pools or functions the rest is added up as "_other".
#ifndef GROVE_SERVER_METRICS_PROMETHEUS_H_
#define GROVE_SERVER_METRICS_PROMETHEUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "server/metrics/histogram.h"
#include "server/metrics/process_numbers.h"
#include "server/metrics/scoreboard.h"
#include "server/tasks/counters.h"

namespace grove::metrics {

// A scrape of that many stays well below a megabyte, and a dashboard readable.
inline constexpr size_t kSeriesMax = 200;

// Version 0.0.4 of the text format.
inline constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsInput {
  const Scoreboard& scoreboard;
  std::string version;
  int64_t now_monotonic_ns = 0;
  bool draining = false;
  // Durable tasks cannot be stored.
  bool store_failing = false;
  // Nor should they be: its volume is nearly full.
  bool store_full = false;
  // By worker.
  std::vector<bool> linked;
  std::vector<int64_t> resident_bytes;
  tasks::TaskCounters tasks;
  // Refused by control before the engine saw them, by reason.
  absl::btree_map<std::string, int64_t> rejected;
  QueueWaitHistogram queue_wait{kQueueWaitBounds};
  int64_t waiters = 0;
  int64_t grpc_connections = 0;
  uint64_t grpc_connections_refused = 0;
  uint64_t tokens_refused = 0;
  uint64_t admin_tokens_refused = 0;
  ProcessNumbers process;
};

std::string RenderMetrics(const MetricsInput& input);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_PROMETHEUS_H_
