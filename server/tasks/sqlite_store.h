// SqliteStore: durable tasks in one SQLite file, `tasks.db` in the state directory.
//
// One writer thread commits whatever gathered since its last commit as one transaction (group
// commit), so the cost of reaching the disk is shared by everything that waits for it; a reader
// thread answers Read() meanwhile. Both only carry what StoreWriter and SqliteReader decide.
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
#include "server/tasks/disk_room.h"
#include "server/tasks/store.h"

namespace grove::tasks {

class SqliteReader;
class StoreWriter;

struct SqliteStoreOptions {
  // Holds `tasks.db` and all that belongs to it; made if it is missing.
  std::string state_dir;
  // tasks.disk_reserve_bytes
  int64_t disk_reserve_bytes = int64_t{64} << 20;
  // Of the volume that holds state_dir; ProbeVolume() if there is none.
  VolumeProbe probe = {};
};

class SqliteStore : public TaskStore {
 public:
  // Opens or creates the database and counts the start. Errors name the path and what to do:
  // FAILED_PRECONDITION (another daemon holds the lock; a database of something else or of a newer
  // version), PERMISSION_DENIED (directory not writable), DATA_LOSS (damaged), UNAVAILABLE (other
  // input/output errors).
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const SqliteStoreOptions& options);
  // Without Stop() drops what is pending, as a crash would.
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  absl::Status Load(const StoreRetention& retention,
                    absl::FunctionRef<void(StoredTask)> each) override;
  absl::Status LoadEnded(const StoreRetention& retention,
                         absl::FunctionRef<void(const EndedRecord&)> each) override;
  absl::Status LoadQueues(absl::FunctionRef<void(StoredQueue)> each) override;
  uint64_t start_number() const override;
  void Start(ReportCallback report) override;
  absl::Status Stop() override;

  // Any thread.
  void Write(std::vector<StoreWrite> writes) override;
  void Read(std::vector<TaskId> tasks, ReadCallback done) override;
  void FindEnded(EndedQuery query, FindCallback done) override;

 private:
  enum class Ending { kNone, kFlush, kDrop };

  explicit SqliteStore(std::unique_ptr<StoreWriter> writer);

  void RunWriter();
  // After a step of the writer's: reports it if need be.
  void Tell(const StoreReport& report, bool wrote);
  // Waits until the next step is due, and takes what it has to write; false at the end.
  // `more`: the writer has something to do. `failing`: it had, and could not.
  bool AwaitNextStep(bool more, bool failing, std::vector<std::vector<StoreWrite>>& batches);
  bool IsDropping();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsEnding() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Ending ending);

  // Owner's thread before Start() and after the writer's thread ended, that thread between.
  const std::unique_ptr<StoreWriter> writer_;
  // After writer_: closes its connection first, so that the writer's, the last, tidies up.
  const std::unique_ptr<SqliteReader> reader_;
  ReportCallback report_;
  // The last report, whether it was passed on or not.
  StoreReport last_;

  std::thread thread_;

  absl::Mutex mutex_;
  std::vector<std::vector<StoreWrite>> pending_ ABSL_GUARDED_BY(mutex_);
  Ending ending_ ABSL_GUARDED_BY(mutex_) = Ending::kNone;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SQLITE_STORE_H_
