#include "server/tasks/change_log.h"

#include <algorithm>
#include <utility>

namespace grove::tasks {

void ChangeLog::Note(TaskId task, size_t queue, size_t changes_max) {
  uint64_t& latest = latest_[task];
  if (latest != 0) changes_.erase(latest);
  latest = ++end_;
  changes_.emplace_hint(changes_.end(), end_, Change{task, queue});
  while (changes_.size() > changes_max) {
    const auto oldest = changes_.begin();
    forgotten_ = oldest->first;
    latest_.erase(oldest->second.task);
    changes_.erase(oldest);
  }
}

std::optional<std::pair<uint64_t, ChangeLog::Change>> ChangeLog::After(uint64_t position) const {
  const auto next = changes_.upper_bound(position);
  if (next == changes_.end()) return std::nullopt;
  return std::pair(next->first, next->second);
}

ChangeLog& ChangeLogs::Join(size_t subject, EngineMicros now_us) {
  DropIdle(now_us);
  if (!logs_.contains(subject)) MakeRoom();
  const auto log = logs_.try_emplace(subject, serials_ + 1).first;
  serials_ = std::max(serials_, log->second.serial());
  ++log->second.readers_;
  return log->second;
}

void ChangeLogs::Leave(size_t subject, uint64_t serial, EngineMicros now_us) {
  ChangeLog* log = Find(subject, serial);
  if (log == nullptr || --log->readers_ > 0) return;
  log->idle_since_us_ = now_us;
  next_drop_us_ = std::min(next_drop_us_, now_us + kChangesKeptUs);
}

ChangeLog* ChangeLogs::Find(size_t subject, uint64_t serial) {
  const auto log = logs_.find(subject);
  return log == logs_.end() || log->second.serial() != serial ? nullptr : &log->second;
}

void ChangeLogs::NoteWatched(size_t tenant, TaskId task, size_t queue) {
  const size_t changes_max = std::min(kChangesOfLogMax, kChangesMax / logs_.size());
  for (const size_t subject : {tenant, kAllTenants}) {
    const auto log = logs_.find(subject);
    if (log != logs_.end()) log->second.Note(task, queue, changes_max);
  }
}

void ChangeLogs::DropOverdue(EngineMicros now_us) {
  next_drop_us_ = INT64_MAX;
  std::erase_if(logs_, [&](const auto& entry) {
    const ChangeLog& log = entry.second;
    if (log.readers_ > 0) return false;
    const EngineMicros drop_us = log.idle_since_us_ + kChangesKeptUs;
    if (drop_us <= now_us) return true;
    next_drop_us_ = std::min(next_drop_us_, drop_us);
    return false;
  });
}

void ChangeLogs::MakeRoom() {
  while (logs_.size() >= kChangeLogsMax) {
    auto first = logs_.end();
    for (auto log = logs_.begin(); log != logs_.end(); ++log) {
      const bool is_first =
          first == logs_.end() || log->second.idle_since_us_ < first->second.idle_since_us_;
      if (log->second.readers_ == 0 && is_first) first = log;
    }
    if (first == logs_.end()) return;
    logs_.erase(first);
  }
}

}  // namespace grove::tasks
