#include "server/supervisor/shared_table.h"

#include <utility>

#include "server/log.h"
#include "server/wall_time.h"

namespace grove::supervisor {
namespace {

using shared::TableMemory;

}  // namespace

absl::StatusOr<std::optional<TableMemory>> MakeTable(const config::v1::SharedTable& config) {
  if (config.rows_max() == 0) return std::nullopt;
  // So the tokens of locks rise over restarts too: no daemon gives a million of them in a second.
  absl::StatusOr<TableMemory> table =
      TableMemory::Create({.rows = config.rows_max(), .value_bytes = config.value_max_bytes()},
                          static_cast<uint64_t>(WallNow()));
  if (!table.ok()) return table.status();
  return *std::move(table);
}

absl::StatusOr<std::optional<TableMemory>> AdoptTable(
    const internal::v1::SupervisorHandover& record, const config::v1::SharedTable& config) {
  if (config.rows_max() == 0 || !record.has_shared_table_fd()) return MakeTable(config);
  absl::StatusOr<TableMemory> table = TableMemory::Open(record.shared_table_fd());
  if (!table.ok()) {
    Log(LogLevel::kWarning,
        "the program before has a shared table of another layout: a new one is empty, and its "
        "locks are not those of workers that still run",
        {{"why", table.status().message()}});
    return MakeTable(config);
  }
  const shared::TableSize wanted{.rows = config.rows_max(),
                                 .value_bytes = config.value_max_bytes()};
  if (table->size() != wanted) {
    Log(LogLevel::kWarning, "the shared table keeps its size until a restart",
        {{"rows_max", table->size().rows}, {"value_max_bytes", table->size().value_bytes}});
  }
  return *std::move(table);
}

void ReleaseLocks(std::optional<TableMemory>& table, pid_t pid) {
  if (!table) return;
  const int released = table->ReleaseLocksOf(pid);
  if (released == 0) return;
  Log(LogLevel::kInfo, "released the locks of a worker that has ended",
      {{"pid", pid}, {"locks", released}});
}

void TellTable(const std::optional<TableMemory>& table, metrics::TableNumbers& numbers) {
  if (!table) return;
  const shared::TableUse use = table->use();
  numbers.rows_max.store(table->size().rows, std::memory_order_relaxed);
  numbers.rows.store(use.rows, std::memory_order_relaxed);
  numbers.locks.store(use.locks, std::memory_order_relaxed);
  numbers.refusals.store(use.refusals, std::memory_order_relaxed);
}

}  // namespace grove::supervisor
