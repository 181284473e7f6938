#include "server/tasks/memory_store.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace grove::tasks {
namespace {

// Of a task with a long input, as Load() and FindEnded() hand it over.
StoredTask Shortened(StoredTask task) {
  if (static_cast<int64_t>(task.input.size()) > kInlinePayloadBytesMax) task.input.clear();
  return task;
}

}  // namespace

void MemoryStore::Enter(Row& row, KindKey kind) {
  const StoredProgress& progress = row.task.progress;
  if (progress.end_time_us == 0) return;
  row.kind = std::move(kind);
  kinds_[row.kind].by_id.insert({0, row.task.id});
  kinds_[row.kind].by_end.insert({progress.end_time_us, row.task.id});
}

void MemoryStore::Leave(const Row& row) {
  const StoredProgress& progress = row.task.progress;
  if (progress.end_time_us == 0) return;
  const auto kind = kinds_.find(row.kind);
  kind->second.by_id.erase({0, row.task.id});
  kind->second.by_end.erase({progress.end_time_us, row.task.id});
  if (kind->second.by_id.empty()) kinds_.erase(kind);
}

void MemoryStore::Apply(StoreWrite write) {
  StoredTask& task = write.task;
  if (write.kind == StoreWrite::Kind::kQueue) {
    queues_.erase({task.tenant, task.queue});
    if (!task.progress.task.empty()) queues_[{task.tenant, task.queue}] = task.progress.task;
    return;
  }
  const auto found = rows_.find(task.id);
  if (found != rows_.end()) Leave(found->second);
  KindKey kind(task.tenant, task.queue, task.function, task.progress.end_state);
  if (write.kind == StoreWrite::Kind::kInsert) {
    Row& row = rows_[task.id];
    row.task = std::move(task);
    Enter(row, std::move(kind));
  } else if (found != rows_.end() && write.kind == StoreWrite::Kind::kUpdate) {
    found->second.task.progress = std::move(task.progress);
    Enter(found->second, std::move(kind));
  } else if (found != rows_.end()) {
    rows_.erase(found);
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
    if (const auto row = rows_.find(id); row != rows_.end()) found.push_back(row->second.task);
  }
  done(std::move(found));
}

void MemoryStore::FindEnded(EndedQuery query, FindCallback done) {
  std::vector<Place> places;
  for (const auto& [key, kind] : kinds_) {
    const auto& [tenant, queue, function, state] = key;
    const bool matches = (query.tenant.empty() || tenant == query.tenant) &&
                         (query.queue.empty() || queue == query.queue) &&
                         (query.function.empty() || function == query.function) &&
                         (query.states == 0 || (query.states >> state & 1) != 0);
    const std::set<Place>& of = query.by_end() ? kind.by_end : kind.by_id;
    if (matches) places.insert(places.end(), of.begin(), of.end());
  }
  std::sort(places.begin(), places.end());
  if (query.descends()) std::reverse(places.begin(), places.end());
  const Place after = query.after ? Place(query.by_end() ? query.after->end_time_us : 0,  //
                                          query.after->id)
                                  : Place();
  EndedPage page;
  std::optional<EndedPosition> last;
  for (const Place& place : places) {
    const bool is_passed = query.after && (query.descends() ? place >= after : place <= after);
    const StoredTask& task = rows_.at(place.second).task;
    const WallMicros end_us = task.progress.end_time_us;
    if (is_passed || end_us < query.ended_from_us || end_us >= query.ended_before_us) continue;
    if (page.tasks.size() == query.count_max) {
      page.next = last;
      break;
    }
    page.tasks.push_back(Shortened(task));
    last = EndedPosition{end_us, task.id};
  }
  done(std::move(page));
}

MemoryStore::Place MemoryStore::FirstKept(const StoreRetention& retention) const {
  std::vector<Place> ends;
  for (const auto& [key, kind] : kinds_) {
    ends.insert(ends.end(), kind.by_end.begin(), kind.by_end.end());
  }
  const Place by_time(retention.ended_before_us, TaskId());
  const auto max = static_cast<size_t>(std::max<int64_t>(retention.ended_max, 0));
  if (ends.size() <= max) return by_time;
  std::sort(ends.begin(), ends.end());
  if (max == 0) return {INT64_MAX, TaskId()};
  return std::max(by_time, ends[ends.size() - max]);
}

absl::Status MemoryStore::Load(const StoreRetention& retention,
                               absl::FunctionRef<void(StoredTask)> each) {
  const Place first = FirstKept(retention);
  for (const auto& [id, row] : rows_) {
    const StoredProgress& progress = row.task.progress;
    const bool has_end = progress.end_time_us != 0;
    if (has_end && (progress.is_bare || Place(progress.end_time_us, id) < first)) continue;
    each(Shortened(row.task));
  }
  return absl::OkStatus();
}

absl::Status MemoryStore::LoadEnded(const StoreRetention& retention,
                                    absl::FunctionRef<void(const EndedRecord&)> each) {
  const Place first = FirstKept(retention);
  for (const auto& [id, row] : rows_) {
    const StoredProgress& progress = row.task.progress;
    if (progress.end_time_us == 0 || !progress.is_bare) continue;
    if (Place(progress.end_time_us, id) < first) continue;
    const auto& [tenant, queue, function, state] = row.kind;
    each({.id = id,
          .tenant = tenant,
          .queue = queue,
          .function = function,
          .state = state,
          .end_time_us = progress.end_time_us,
          .is_bare = true});
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
