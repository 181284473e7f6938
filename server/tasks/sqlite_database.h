// SqliteDatabase: the database file of a SqliteStore.
//
// Reads tasks, applies changes in transactions, and gives room back to the volume. Blocks on the
// disk; no threads of its own, one thread at a time may use it.
#ifndef GROVE_SERVER_TASKS_SQLITE_DATABASE_H_
#define GROVE_SERVER_TASKS_SQLITE_DATABASE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/sqlite/connection.h"
#include "server/tasks/database_opening.h"
#include "server/tasks/ended_rows.h"
#include "server/tasks/held_writes.h"
#include "server/tasks/store.h"

namespace grove::tasks {

class SqliteDatabase {
 public:
  // Errors as SqliteStore::Open says.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(OpeningOptions options);
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  const std::string& path() const { return options_.path; }
  // It had no tables when it was first opened.
  bool was_empty() const { return was_empty_; }

  // The number of starts as it was last set; 0 in a new database.
  absl::StatusOr<uint64_t> Starts() const;
  absl::Status SetStarts(uint64_t starts) const;
  // As TaskStore::Load, but deletes nothing: the ids of what the retention ends go to `expired`.
  absl::Status Load(const StoreRetention& retention, absl::FunctionRef<void(StoredTask)> each,
                    std::vector<TaskId>& expired) const;
  // As TaskStore::LoadEnded.
  absl::Status LoadEnded(const StoreRetention& retention,
                         absl::FunctionRef<void(const EndedRecord&)> each) const;
  // As TaskStore::LoadQueues.
  absl::Status LoadQueues(absl::FunctionRef<void(StoredQueue)> each) const;
  // All of them or none. On return with OK they are on disk.
  absl::Status Apply(absl::Span<const TaskChange> changes);

  // Of pages that were deleted and will be used again.
  absl::StatusOr<int64_t> ReusableBytes() const;
  // Writes the write-ahead log back and leaves it empty. UNAVAILABLE while somebody reads.
  absl::Status EmptyLog() const;
  // Moves free pages to the end of the file and cuts them off, some at a time. A database that
  // cannot shrink stays as it is.
  absl::Status Shrink() const;

  // When files were taken away while they were open; no reader may be connected. After an error:
  // call again.
  //
  // The log or its index: writes back what the log has, and begins another one.
  absl::Status RestoreLog();
  // The database: writes it again under its name.
  absl::Status RestoreFile();

  // False when a restoration got stuck half way: then nothing but the two above may be called.
  bool is_open() const { return connection_.is_open(); }
  // Writes the log back and removes it, if nobody else is connected.
  void Close();

 private:
  explicit SqliteDatabase(OpeningOptions options) : options_(std::move(options)) {}

  absl::Status Use(OpenedDatabase opened);
  // The first end that is kept.
  absl::StatusOr<EndedPosition> FindFirstKept(const StoreRetention& retention) const;
  // The ids of the ends before that.
  absl::Status FindExpired(const EndedPosition& first, std::vector<TaskId>& expired) const;
  // Those that Load() leaves out, in the order of the ids.
  absl::Status FindLeftOut(std::vector<TaskId>& ids) const;
  absl::Status ApplyOne(const TaskChange& change);
  // An insert, or an update. False: it changed nothing, as there is a task to insert, or none to
  // update whose kind is that (0: none).
  absl::StatusOr<bool> Put(const TaskChange& change, int64_t former_kind);
  // Takes it out of the index of ended tasks; the kind that it had there, 0 if it was not.
  // nullopt: there is no such task.
  absl::StatusOr<std::optional<int64_t>> Unindex(const TaskId& task);
  absl::Status Delete(const TaskId& task);
  absl::Status ApplyToQueue(const TaskChange& change) const;
  absl::Status Reopen();
  absl::Status CopyTo(const std::string& path) const;
  void RemoveLog() const;

  const OpeningOptions options_;
  bool was_empty_ = false;
  int64_t page_bytes_ = 0;
  sqlite::Connection connection_;
  // After connection_: finalized before it is closed.
  sqlite::Statement insert_;
  sqlite::Statement update_;
  sqlite::Statement delete_;
  sqlite::Statement select_kind_;
  EndedRows ended_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SQLITE_DATABASE_H_
