// ChangeLogs: which tasks have changed, for who watches them.
//
// A log for each tenant that is watched, and one of all tenants: a task stands in it once, at its
// latest change, so that a log is never larger than what it is about and a reader that comes late
// finds the task as it is. Kept for a while after its last reader has left, who may come back.
// Bounded: what does not fit is forgotten from the oldest on, and a reader that was not there yet
// is told so. Costs nothing while nobody watches. Pure.
#ifndef GROVE_SERVER_TASKS_CHANGE_LOG_H_
#define GROVE_SERVER_TASKS_CHANGE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "server/tasks/engine_time.h"
#include "server/tasks/task_id.h"

namespace grove::tasks {

// About 80 bytes each; shared by all logs, of which none needs more than the most.
inline constexpr size_t kChangesMax = 1 << 20;
inline constexpr size_t kChangesOfLogMax = 1 << 16;
// More than there may be watches (server/control/watch_limits.h).
inline constexpr size_t kChangeLogsMax = 512;
// So long a client may take to come back.
inline constexpr int64_t kChangesKeptUs = 300 * kUsPerSecond;

// One log. Positions count its changes from 1 on.
class ChangeLog {
 public:
  struct Change {
    TaskId task;
    // Index into the directory: the task may be gone.
    size_t queue = 0;
  };

  explicit ChangeLog(uint64_t serial) : serial_(serial) {}

  // Keeps no more than `changes_max`.
  void Note(TaskId task, size_t queue, size_t changes_max);
  // The first change behind `position`, and its own position.
  std::optional<std::pair<uint64_t, Change>> After(uint64_t position) const;
  // Whether changes behind `position` were forgotten.
  bool HasForgotten(uint64_t position) const { return position < forgotten_; }
  // Of the latest change; 0: none.
  uint64_t end() const { return end_; }
  // Which of all logs it is.
  uint64_t serial() const { return serial_; }

 private:
  friend class ChangeLogs;

  const uint64_t serial_;
  uint64_t end_ = 0;
  uint64_t forgotten_ = 0;
  absl::btree_map<uint64_t, Change> changes_;
  absl::flat_hash_map<TaskId, uint64_t> latest_;
  int readers_ = 0;
  // Since its last reader has left.
  EngineMicros idle_since_us_ = 0;
};

// What a log is about: a tenant's index in the directory, or kAllTenants.
class ChangeLogs {
 public:
  static constexpr size_t kAllTenants = SIZE_MAX;

  // A task of `tenant` has changed as anybody is told.
  void Note(size_t tenant, TaskId task, size_t queue) {
    if (!logs_.empty()) NoteWatched(tenant, task, queue);
  }
  // One more reads the log of `subject`, which begins now if there was none.
  ChangeLog& Join(size_t subject, EngineMicros now_us);
  // No effect if the log is gone.
  void Leave(size_t subject, uint64_t serial, EngineMicros now_us);
  // nullptr: it is gone.
  ChangeLog* Find(size_t subject, uint64_t serial);
  // Logs that nobody has come back to in time go; costs a comparison while there is none.
  void DropIdle(EngineMicros now_us) {
    if (now_us >= next_drop_us_) DropOverdue(now_us);
  }
  // The tenant is no more.
  void Forget(size_t tenant) { logs_.erase(tenant); }

  size_t size() const { return logs_.size(); }

 private:
  void NoteWatched(size_t tenant, TaskId task, size_t queue);
  void DropOverdue(EngineMicros now_us);
  // Until one more fits: the first that became idle.
  void MakeRoom();

  uint64_t serials_ = 0;
  // Not before it is a log idle for too long.
  EngineMicros next_drop_us_ = INT64_MAX;
  // Addresses stay.
  std::map<size_t, ChangeLog> logs_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_CHANGE_LOG_H_
