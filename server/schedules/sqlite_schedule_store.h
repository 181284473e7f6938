// SqliteScheduleStore: schedules in a SQLite file of their own, `schedules.db` in the state
// directory.
//
// Beside the tasks' database, not in it: a run is spawned under a request_id of its own, so that
// the two need no common transaction. What has gathered is written at once: many schedules are due
// in the same second. The lock of the state directory is the task store's.
#ifndef GROVE_SERVER_SCHEDULES_SQLITE_SCHEDULE_STORE_H_
#define GROVE_SERVER_SCHEDULES_SQLITE_SCHEDULE_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/schedules/schedule_store.h"
#include "server/sqlite/connection.h"
#include "server/sqlite/side_writer.h"

namespace grove::schedules {

class SqliteScheduleStore final : public ScheduleStore {
 public:
  // Opens or creates it; only its owner may read it. FAILED_PRECONDITION: a database of another
  // program, or of a newer version; else as sqlite::Connection.
  static absl::StatusOr<std::unique_ptr<SqliteScheduleStore>> Open(const std::string& state_dir);
  // Without Stop() drops what is pending, as a crash would.
  ~SqliteScheduleStore() override = default;
  SqliteScheduleStore(const SqliteScheduleStore&) = delete;
  SqliteScheduleStore& operator=(const SqliteScheduleStore&) = delete;

  absl::StatusOr<std::vector<StoredSchedule>> Load() override;
  void Write(ScheduleChange change, Done done) override;
  void Stop() override;

 private:
  SqliteScheduleStore(std::string path, sqlite::Connection connection);
  absl::Status Prepare();
  absl::Status Apply(const ScheduleChange& change);
  const std::string path_;
  // The thread's, once it runs.
  sqlite::Connection connection_;
  // After connection_: finalized before it is closed.
  sqlite::Statement put_settings_;
  sqlite::Statement put_runs_;
  sqlite::Statement drop_settings_;
  sqlite::Statement drop_runs_;
  // Ends its thread first.
  sqlite::SideWriter writer_;
};

}  // namespace grove::schedules

#endif  // GROVE_SERVER_SCHEDULES_SQLITE_SCHEDULE_STORE_H_
