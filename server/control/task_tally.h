// TaskTally: counts what becomes of tasks on the scoreboard, where it outlives this process.
//
// By tenant, function and queue, each within its bound; the rest together. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_TASK_TALLY_H_
#define GROVE_SERVER_CONTROL_TASK_TALLY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/series.h"
#include "server/tasks/effects.h"
#include "server/tasks/engine.h"

namespace grove::control {

class TaskTally {
 public:
  // Both must outlive it.
  TaskTally(metrics::SharedSeries& series, const tasks::TaskEngine& engine);

  void Count(const tasks::Tally& tally);
  // The first attempt of a task of `function` starts, which could have started `wait_us` ago.
  void CountStart(size_t function, int64_t wait_us);
  void CountRejected(std::string_view reason);
  // `tenant`'s HTTP requests have run for that long.
  void CountHttp(size_t tenant, int64_t us);
  // What the engine calls `queue` will be another: what was counted stays.
  void Forget(size_t queue);
  // The same of `tenant`.
  void ForgetTenant(size_t tenant) { tenant_numbers_.erase(tenant); }

 private:
  std::span<metrics::Cell> TaskCells(const tasks::Tally& tally);
  std::span<metrics::Cell> QueueCells(size_t queue);
  std::span<metrics::Cell> TimesOf(size_t tenant);
  // `part`: of metrics::FunctionCell.
  void Observe(size_t function, size_t part, int64_t us);

  metrics::SharedSeries& series_;
  const tasks::TaskEngine& engine_;
  metrics::SeriesIndex tasks_;
  metrics::SeriesIndex functions_;
  metrics::SeriesIndex queues_;
  metrics::SeriesIndex tenants_;
  metrics::SeriesIndex reasons_;
  // By what the engine calls them.
  absl::flat_hash_map<std::pair<size_t, size_t>, uint32_t> task_numbers_;  // queue and function
  absl::flat_hash_map<size_t, uint32_t> function_numbers_;
  absl::flat_hash_map<size_t, uint32_t> queue_numbers_;
  absl::flat_hash_map<size_t, uint32_t> tenant_numbers_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TASK_TALLY_H_
