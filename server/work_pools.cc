#include "server/work_pools.h"

#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove {
namespace {

template <typename Pools>
auto Found(const Pools& pools, std::string_view what, std::string_view name)
    -> absl::StatusOr<decltype(pools.begin()->second.pool.get())> {
  if (const auto found = pools.find(name); found != pools.end()) return found->second.pool.get();
  std::string names;
  for (const auto& [each, pool] : pools) StrAppend(&names, names.empty() ? "" : ", ", each);
  return absl::NotFoundError(StrCat("this application has no ", what, " pool \"", name,
                                    "\"; it has ", names.empty() ? "none" : names));
}

}  // namespace

absl::StatusOr<OffloadPool*> WorkPools::Offload(std::string_view name) const {
  return Found(offload_, "offload", name);
}

absl::StatusOr<ProcessPool*> WorkPools::Processes(std::string_view name) const {
  return Found(processes_, "process", name);
}

absl::Status WorkPools::Open(const WorkPoolOptions& options) {
  for (const OffloadPool::Options& each : options.offload) {
    offload_[each.name] = {each.threads, std::make_unique<OffloadPool>(each)};
  }
  for (const ProcessPoolOptions& each : options.processes) {
    absl::StatusOr<std::unique_ptr<ProcessPool>> pool = ProcessPool::Create(each);
    if (!pool.ok()) return pool.status();
    processes_[each.name] = {each.processes, *std::move(pool)};
  }
  return absl::OkStatus();
}

absl::Status WorkPools::StopProcesses() {
  absl::Status status;
  for (auto& [name, sized] : processes_) {
    // Each of them, also after one that was interrupted.
    if (absl::Status stopped = sized.pool->Stop(); status.ok()) status = std::move(stopped);
  }
  return status;
}

void WorkPools::StopThreads() {
  for (auto& [name, sized] : offload_) sized.pool->Stop();
}

void WorkPools::Visit(absl::FunctionRef<void(const WorkPoolNumbers&)> see) const {
  for (const auto& [name, sized] : processes_) {
    const ProcessPoolStats stats = sized.pool->stats();
    see({.name = name,
         .kind = "processes",
         .size = sized.size,
         .busy = stats.busy,
         .queued = static_cast<int64_t>(stats.queued),
         .calls = stats.completed,
         .refused = stats.rejected,
         .dropped = stats.dropped,
         .failures = stats.crashed + stats.timed_out,
         .wait_seconds = stats.queue_seconds,
         .run_seconds = stats.run_seconds});
  }
  for (const auto& [name, sized] : offload_) {
    const OffloadPool::Stats stats = sized.pool->stats();
    see({.name = name,
         .kind = "threads",
         .size = sized.size,
         .busy = stats.running,
         .queued = static_cast<int64_t>(stats.queued),
         .calls = stats.completed,
         .refused = stats.rejected + stats.expired,
         .dropped = stats.dropped,
         .wait_seconds = stats.queue_seconds,
         .run_seconds = stats.run_seconds});
  }
}

WorkPools& NoWorkPools() {
  static auto* const none = new WorkPools();
  return *none;
}

}  // namespace grove
