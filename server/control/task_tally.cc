#include "server/control/task_tally.h"

#include <algorithm>
#include <string>

#include "runtime/switch/abseil_text.h"

namespace grove::control {
namespace {

using metrics::Cell;
using metrics::FunctionCell;
using metrics::QueueCell;
using metrics::TaskCell;
using tasks::Tally;

void Add(Cell& cell, int64_t more) {
  cell.fetch_add(static_cast<uint64_t>(std::max<int64_t>(0, more)), std::memory_order_relaxed);
}

static_assert(TaskCell::kEnded + v1::TaskState_ARRAYSIZE <= TaskCell::kOutcomes);
static_assert(TaskCell::kOutcomes + internal::v1::AttemptEnded::Outcome_ARRAYSIZE <=
              TaskCell::kRunMicros);

}  // namespace

TaskTally::TaskTally(metrics::SharedSeries& series, const tasks::TaskEngine& engine)
    : series_(series),
      engine_(engine),
      tasks_(series.tasks.directory()),
      functions_(series.functions.directory()),
      queues_(series.queues.directory()),
      tenants_(series.tenants.directory()),
      reasons_(series.reasons.directory()) {}

std::span<Cell> TaskTally::TaskCells(const Tally& tally) {
  auto [found, is_new] = task_numbers_.try_emplace({tally.queue, tally.function});
  if (is_new) {
    found->second = tasks_.Find(
        StrCat(engine_.TenantOf(tally.queue), " ", engine_.FunctionName(tally.function)));
  }
  return series_.task_cells.of[found->second];
}

std::span<Cell> TaskTally::QueueCells(size_t queue) {
  auto [found, is_new] = queue_numbers_.try_emplace(queue);
  if (is_new) {
    found->second = queues_.Find(StrCat(engine_.TenantOf(queue), " ", engine_.QueueName(queue)));
  }
  return series_.queue_cells.of[found->second];
}

std::span<Cell> TaskTally::TimesOf(size_t tenant) {
  auto [found, is_new] = tenant_numbers_.try_emplace(tenant);
  if (is_new) found->second = tenants_.Find(engine_.TenantName(tenant));
  return series_.tenant_cells.of[found->second];
}

void TaskTally::Observe(size_t function, size_t part, int64_t us) {
  auto [found, is_new] = function_numbers_.try_emplace(function);
  if (is_new) found->second = functions_.Find(engine_.FunctionName(function));
  const auto cells = std::span<Cell>(series_.function_cells.of[found->second])
                         .subspan(part, metrics::kTaskTimeCells);
  const size_t bucket = metrics::BucketOf(metrics::kTaskTimeBounds, static_cast<double>(us) / 1e6);
  Add(cells[bucket], 1);
  Add(cells.back(), us);
}

void TaskTally::Count(const Tally& tally) {
  switch (tally.kind) {
    case Tally::Kind::kSpawned:
      return Add(QueueCells(tally.queue)[QueueCell::kSpawned], 1);
    case Tally::Kind::kRejected:
      if (tally.queue != SIZE_MAX) Add(QueueCells(tally.queue)[QueueCell::kRejected], 1);
      return CountRejected(tally.reason);
    case Tally::Kind::kAttemptEnded:
      Add(TaskCells(tally)[TaskCell::kOutcomes + static_cast<size_t>(tally.what)], 1);
      return Observe(tally.function, FunctionCell::kRun, tally.us);
    case Tally::Kind::kRan:
      return Add(TaskCells(tally)[TaskCell::kRunMicros], tally.us);
    case Tally::Kind::kEnded:
      Add(TaskCells(tally)[TaskCell::kEnded + static_cast<size_t>(tally.what)], 1);
      return Observe(tally.function, FunctionCell::kWhole, tally.us);
    case Tally::Kind::kWorkerTime:
      return Add(TimesOf(tally.tenant)[metrics::TenantTimeCell::kWorker], tally.us);
    case Tally::Kind::kIdleSlots:
      return Add(series_.idle_slot_microseconds, tally.us);
  }
}

void TaskTally::CountStart(size_t function, int64_t wait_us) {
  Observe(function, FunctionCell::kWait, wait_us);
}

void TaskTally::CountHttp(size_t tenant, int64_t us) {
  Add(TimesOf(tenant)[metrics::TenantTimeCell::kHttp], us);
}

void TaskTally::Forget(size_t queue) {
  queue_numbers_.erase(queue);
  absl::erase_if(task_numbers_, [&](const auto& each) { return each.first.first == queue; });
}

void TaskTally::CountRejected(std::string_view reason) {
  Add(series_.reason_cells.of[reasons_.Find(reason)][0], 1);
}

}  // namespace grove::control
