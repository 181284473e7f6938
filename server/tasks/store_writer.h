// StoreWriter: gets writes onto the disk, and keeps the disk and the files fit for them.
//
// Each Advance() is one step: a transaction, and whatever room, files and log need. As long as
// there is room, writes go in turn and in large groups. When the volume is short:
//   - what frees goes first, then ends, then new tasks as far as they fit (HeldWrites);
//   - groups are small, and the write-ahead log is emptied after each;
//   - if even that finds no room, the ballast is thrown off; it is made anew when there is room;
//   - free pages go back to the volume.
// Files that were taken away are put back from what is still open; where that cannot be, nothing
// is written, and the report says why.
//
// No threads and no clock of its own; one thread at a time.
#ifndef GROVE_SERVER_TASKS_STORE_WRITER_H_
#define GROVE_SERVER_TASKS_STORE_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tasks/ballast.h"
#include "server/tasks/disk_room.h"
#include "server/tasks/file_watch.h"
#include "server/tasks/held_writes.h"
#include "server/tasks/sqlite_database.h"
#include "server/tasks/sqlite_reader.h"
#include "server/tasks/sqlite_store.h"
#include "server/tasks/state_lock.h"
#include "server/tasks/store.h"
#include "server/tasks/store_log.h"

namespace grove::tasks {

class StoreWriter {
 public:
  struct Step {
    StoreReport report;
    // A transaction was tried.
    bool wrote = false;
    // There is more to do at once; else the next step is due when something is to be written, and
    // after kStepMs in any case.
    bool more = false;
  };
  static constexpr int64_t kStepMs = 1000;

  // As SqliteStore::Open.
  static absl::StatusOr<std::unique_ptr<StoreWriter>> Open(const SqliteStoreOptions& options);
  // Closes the database. The reader must have no connection any more.
  ~StoreWriter();
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  uint64_t start_number() const { return start_number_; }
  const std::string& path() const { return database_->path(); }

  // As TaskStore::Load; later steps delete what it leaves out.
  absl::Status Load(const StoreRetention& retention, absl::FunctionRef<void(StoredTask)> each);

  // As TaskStore::LoadEnded.
  absl::Status LoadEnded(const StoreRetention& retention,
                         absl::FunctionRef<void(const EndedRecord&)> each) const {
    return database_->LoadEnded(retention, each);
  }

  // As TaskStore::LoadQueues.
  absl::Status LoadQueues(absl::FunctionRef<void(StoredQueue)> each) const {
    return database_->LoadQueues(each);
  }

  // To be written by the next steps, in the order in which they come.
  void Hold(std::vector<StoreWrite> writes) { held_.Add(std::move(writes)); }
  // `now_ms` on any clock that does not jump. `reader` reads the same file.
  Step Advance(int64_t now_ms, SqliteReader& reader);
  // Nothing waits to be written.
  bool IsIdle() const { return held_.empty(); }

 private:
  // What room is wanted for. Deletions may use all that is kept; ends leave enough for deletions;
  // new tasks get nothing of it.
  enum class Need { kToFree, kToEnd, kForNew };

  StoreWriter(const SqliteStoreOptions& options, StateLock lock, DiskRoom room);

  static Need NeedOf(StoreWrite::Kind kind);

  // Start.
  absl::Status OpenDatabase();
  absl::Status CountStart();
  void TellLosses(const StateLock::Use& last_use, uint64_t starts, bool log_was_gone) const;

  // Files.
  absl::Status MendFiles(int64_t now_ms, SqliteReader& reader);
  absl::Status MendLog(SqliteReader& reader);
  absl::Status MendDatabase(int64_t now_ms, SqliteReader& reader);

  // Room.
  void MeasureRoom();
  bool IsShort() const { return now_ms_ < cautious_until_ms_ || room_.IsShort(); }
  bool IsBallastHeld() const;
  void MakeBallast();
  // Throws off ballast if `status` says that there is no room: true to try again.
  bool MakesRoom(const absl::Status& status, Need need) const;
  void EmptyLog(SqliteReader& reader, Need need);

  // Transactions.
  absl::Status WriteInTurn(Step& step);
  absl::Status WriteWhenShort(Step& step, SqliteReader& reader);
  WriteGroup NextSmallGroup() const;
  // Sets `need` to what the group was for.
  absl::Status WriteSmallGroup(Step& step, Need& need);
  absl::Status Apply(const WriteGroup& group, Step& step);
  // Deletes some of what Load() left out.
  absl::Status Trim(size_t count_max, Step& step);
  void Shrink(Step& step);
  void ShrinkSlowly();

  const SqliteStoreOptions options_;
  const Ballast ballast_;
  uint64_t start_number_ = 0;

  // Before database_: the next owner must find the file closed.
  StateLock lock_;
  DiskRoom room_;
  HeldWrites::Limits limits_;
  std::unique_ptr<SqliteDatabase> database_;
  FileWatch watch_;
  StoreLog log_;

  HeldWrites held_;
  // Ended tasks that Load() left out and that are still on disk.
  std::vector<TaskId> expired_;
  // The last transaction found no room, whatever the volume says: a quota, for instance.
  bool was_full_ = false;
  int64_t cautious_until_ms_ = INT64_MIN;
  int64_t now_ms_ = 0;
  // The log cannot be emptied, as the database cannot grow.
  bool is_log_stuck_ = false;
  // Changes per transaction when the volume is short: halved when they do not fit.
  size_t short_writes_;
  // No file system refuses one for another reason than room; if one does, it is done without.
  bool without_ballast_ = false;
  // What cannot be mended while the file is open.
  absl::Status damage_;
  absl::Status database_missing_;
  int64_t next_mending_ms_ = INT64_MIN;
  int64_t next_shrinking_ms_ = INT64_MIN;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_STORE_WRITER_H_
