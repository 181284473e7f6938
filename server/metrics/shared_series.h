// SharedSeries: which labelled numbers the scoreboard has room for.
//
// Of HTTP a worker counts in cells of its own (WorkerSeries), and those of the dead are added up
// here. Of tasks control counts here at once: a successor goes on where it died.
#ifndef GROVE_SERVER_METRICS_SHARED_SERIES_H_
#define GROVE_SERVER_METRICS_SHARED_SERIES_H_

#include <array>
#include <cstddef>
#include <string_view>

#include "server/config/limits.h"
#include "server/http/serving/stats.h"
#include "server/metrics/histogram.h"
#include "server/metrics/origin_cells.h"
#include "server/metrics/own_series.h"
#include "server/metrics/series.h"
#include "server/metrics/tenant_cells.h"

namespace grove::metrics {

// Of routes, methods and codes together: 512 routes with eight each.
inline constexpr size_t kRequestSeriesMax = 4096;
inline constexpr size_t kRouteSeriesMax = 1024;
// Of tenants and functions together.
inline constexpr size_t kTaskSeriesMax = 4096;
inline constexpr size_t kFunctionSeriesMax = 1024;
inline constexpr size_t kQueueSeriesMax = 2048;
inline constexpr size_t kTenantSeriesMax = 2048;
inline constexpr size_t kReasonSeriesMax = 64;
inline constexpr size_t kCallSeriesMax = 512;
inline constexpr size_t kScheduleSeriesMax = 1024;
inline constexpr size_t kPayloadSeriesMax = 1024;
// An application has half as many at most (kWorkPoolsMax): the rest is for its successors'.
inline constexpr size_t kWorkPoolSeriesMax = 64;

// A histogram's buckets, and behind them the sum in microseconds.
inline constexpr size_t kRouteCells = http::kDurationBounds.size() + 2;
inline constexpr size_t kTaskTimeCells = kTaskTimeBounds.size() + 2;

// By tenant and function: ends by grove.v1.TaskState, attempts by outcome, time on hubs.
struct TaskCell {
  static constexpr size_t kEnded = 0;
  static constexpr size_t kOutcomes = 8;
  static constexpr size_t kRunMicros = 15;
  static constexpr size_t kCount = 16;
};
// By function: three histograms.
struct FunctionCell {
  static constexpr size_t kWait = 0;
  static constexpr size_t kRun = kTaskTimeCells;
  static constexpr size_t kWhole = 2 * kTaskTimeCells;
  static constexpr size_t kCount = 3 * kTaskTimeCells;
};
struct QueueCell {
  static constexpr size_t kSpawned = 0;
  static constexpr size_t kRejected = 1;
  static constexpr size_t kCount = 2;
};

// Microseconds of worker time, and of HTTP's on the hubs.
struct TenantTimeCell {
  static constexpr size_t kWorker = 0;
  static constexpr size_t kHttp = 1;
  static constexpr size_t kCount = 2;
};

// What becomes of schedules' times, in the order of their cells.
inline constexpr std::array<std::string_view, 4> kScheduleOutcomes = {"spawned", "skipped",
                                                                      "missed", "refused"};

// Of a tenant's payloads: what became of them, and bytes to and from clients.
struct PayloadCell {
  static constexpr size_t kUploads = 0;
  static constexpr size_t kOutputs = 1;
  static constexpr size_t kDownloads = 2;
  static constexpr size_t kReceivedBytes = 3;
  static constexpr size_t kSentBytes = 4;
  static constexpr size_t kRefused = 5;
  static constexpr size_t kCount = 6;
};

struct CallCell {
  static constexpr size_t kCalls = 0;
  static constexpr size_t kMicros = 1;
  static constexpr size_t kCount = 2;
};

// By kind and name of a pool of an application's.
struct WorkPoolCell {
  static constexpr size_t kCalls = 0;
  static constexpr size_t kRefused = 1;
  static constexpr size_t kDropped = 2;
  static constexpr size_t kFailures = 3;
  static constexpr size_t kWaitMicros = 4;
  static constexpr size_t kRunMicros = 5;
  static constexpr size_t kCount = 6;
};
struct WorkPoolLevel {
  static constexpr size_t kSize = 0;
  static constexpr size_t kBusy = 1;
  static constexpr size_t kQueued = 2;
  static constexpr size_t kCount = 3;
};

struct WorkerSeries {
  SeriesCells<kRequestSeriesMax, 1> requests;
  SeriesCells<kRouteSeriesMax, kRouteCells> routes;
  OwnSeriesCells own;
  SeriesCells<kWorkPoolSeriesMax, WorkPoolCell::kCount> work_pools;
  // Of a worker that lives: the dead have none.
  SeriesCells<kWorkPoolSeriesMax, WorkPoolLevel::kCount> work_pool_levels;
};

// Label values that /metrics has shown on their own (label_set.h).
using ShownNames = SeriesNames<1024>;

// What was read of a process last, so that its CPU time outlives it. Control alone writes.
struct SeenProcess {
  Cell pid;
  Cell cpu_microseconds;
  Cell before_microseconds;  // of its dead predecessors
};

struct SharedSeries {
  SeriesNames<kRequestSeriesMax> requests;     // "GET 200 /pattern"
  SeriesNames<kRouteSeriesMax> routes;         // "/pattern"
  SeriesNames<kWorkPoolSeriesMax> work_pools;  // "threads disk"
  WorkerSeries dead;

  SeriesNames<kTaskSeriesMax> tasks;  // "tenant function"
  SeriesCells<kTaskSeriesMax, TaskCell::kCount> task_cells;
  SeriesNames<kFunctionSeriesMax> functions;
  SeriesCells<kFunctionSeriesMax, FunctionCell::kCount> function_cells;
  SeriesNames<kQueueSeriesMax> queues;  // "tenant queue"
  SeriesCells<kQueueSeriesMax, QueueCell::kCount> queue_cells;
  SeriesNames<kTenantSeriesMax> tenants;
  SeriesCells<kTenantSeriesMax, TenantTimeCell::kCount> tenant_cells;
  Cell idle_slot_microseconds;
  SeriesNames<kReasonSeriesMax> reasons;
  SeriesCells<kReasonSeriesMax, 1> reason_cells;
  SeriesNames<kCallSeriesMax> calls;  // "OK grove.v1.TaskService/Spawn"
  SeriesCells<kCallSeriesMax, CallCell::kCount> call_cells;

  SeriesNames<kScheduleSeriesMax> schedules;  // "tenant"
  SeriesCells<kScheduleSeriesMax, kScheduleOutcomes.size()> schedule_cells;
  std::array<Cell, kTaskTimeCells> schedule_lateness;

  SeriesNames<kPayloadSeriesMax> payloads;  // "tenant"
  SeriesCells<kPayloadSeriesMax, PayloadCell::kCount> payload_cells;
  Cell payloads_removed;
  Cell payloads_swept;

  SeriesNames<kBoundTenantsMax> bound_tenants;  // "tenant"
  AllTenantCells bound_cells;
  OriginCells origins;

  OwnSeriesNames own;

  ShownNames shown_routes;
  ShownNames shown_tenants;
  ShownNames shown_functions;
  ShownNames shown_queues;
  ShownNames shown_pools;

  std::array<SeenProcess, config::kWorkersMax + 3> processes;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_SHARED_SERIES_H_
