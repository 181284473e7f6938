#include "server/tasks/memory_store.h"

#include <algorithm>

namespace grove::tasks {

void MemoryStore::Apply(StoreWrite write) {
  StoredTask& task = write.task;
  const auto found = rows_.find(task.id);
  switch (write.kind) {
    case StoreWrite::Kind::kInsert:
      rows_[task.id] = std::move(task);
      return;
    case StoreWrite::Kind::kUpdate:
      if (found != rows_.end()) found->second.progress = std::move(task.progress);
      return;
    case StoreWrite::Kind::kDelete:
      if (found != rows_.end()) rows_.erase(found);
      return;
    case StoreWrite::Kind::kQueue:
      queues_.erase({task.tenant, task.queue});
      if (!task.progress.task.empty()) queues_[{task.tenant, task.queue}] = task.progress.task;
  }
}

void MemoryStore::Write(std::vector<StoreWrite> writes) {
  if (writes.empty()) return;
  const uint64_t through = writes.back().ticket;
  for (StoreWrite& write : writes) Apply(std::move(write));
  if (report_) report_({.through = through});
}

void MemoryStore::Read(std::vector<TaskId> tasks, ReadCallback done) {
  std::vector<StoredTask> found;
  for (const TaskId& id : tasks) {
    if (const auto row = rows_.find(id); row != rows_.end()) found.push_back(row->second);
  }
  done(std::move(found));
}

absl::Status MemoryStore::Load(const StoreRetention& retention,
                               absl::FunctionRef<void(StoredTask)> each) {
  std::vector<std::pair<WallMicros, TaskId>> ends;
  for (const auto& [id, task] : rows_) {
    if (task.progress.end_time_us != 0) ends.emplace_back(task.progress.end_time_us, id);
  }
  std::sort(ends.rbegin(), ends.rend());
  for (size_t i = 0; i < ends.size(); ++i) {
    const bool is_kept =
        static_cast<int64_t>(i) < retention.ended_max && ends[i].first >= retention.ended_before_us;
    if (!is_kept) rows_.erase(ends[i].second);
  }
  for (const auto& [id, row] : rows_) {
    StoredTask task = row;
    if (static_cast<int64_t>(task.input.size()) > kInlinePayloadBytesMax) task.input.clear();
    each(std::move(task));
  }
  return absl::OkStatus();
}

absl::Status MemoryStore::LoadQueues(absl::FunctionRef<void(StoredQueue)> each) {
  for (const auto& [name, settings] : queues_) {
    each({.tenant = name.first, .queue = name.second, .settings = settings});
  }
  return absl::OkStatus();
}

}  // namespace grove::tasks
