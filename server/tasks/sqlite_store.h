// SqliteStore: durable tasks in one SQLite file, `tasks.db` in the state directory.
//
// One writer thread commits whatever gathered since its last commit as one transaction (group
// commit), so the cost of reaching the disk is shared by everything that waits for it. A lock file
// keeps a second daemon out.
#ifndef GROVE_SERVER_TASKS_SQLITE_STORE_H_
#define GROVE_SERVER_TASKS_SQLITE_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/tasks/store.h"

namespace grove::tasks {

class SqliteDatabase;

class SqliteStore : public TaskStore {
 public:
  // Opens or creates the database and counts the start. Errors name the path and what to do:
  // FAILED_PRECONDITION (another daemon holds the lock; a database of something else or of a newer
  // version), PERMISSION_DENIED (directory not writable), DATA_LOSS (damaged), UNAVAILABLE (other
  // input/output errors).
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& state_dir);
  // Without Stop() drops what is pending, as a crash would.
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  absl::StatusOr<std::vector<StoredTask>> LoadAll() override;
  uint64_t start_number() const override { return start_number_; }
  void Start(PersistedCallback persisted) override;
  absl::Status Stop() override;

  // Any thread.
  void Write(std::vector<StoreWrite> writes) override;

 private:
  enum class Ending { kNone, kFlush, kDrop };

  SqliteStore(std::unique_ptr<SqliteDatabase> database, uint64_t start_number);

  void RunWriter();
  // Waits for writes or the end; false at the end.
  bool TakeBatch(std::vector<StoreWrite>& batch);
  // After a failed commit: true to try again, false at the end.
  bool WaitBeforeRetry();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsEnding() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Ending ending);

  const uint64_t start_number_;

  // Owner's thread before Start() and after the writer ended, writer thread between.
  std::unique_ptr<SqliteDatabase> database_;
  PersistedCallback persisted_;
  absl::Status last_status_;

  std::thread writer_;

  absl::Mutex mutex_;
  std::vector<StoreWrite> pending_ ABSL_GUARDED_BY(mutex_);
  Ending ending_ ABSL_GUARDED_BY(mutex_) = Ending::kNone;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SQLITE_STORE_H_
