// SqliteDatabase: the database file of a SqliteStore.
//
// Opens, locks and checks the file, and applies writes in transactions. Blocks on the disk; no
// threads of its own, one thread at a time may use it.
#ifndef GROVE_SERVER_TASKS_SQLITE_DATABASE_H_
#define GROVE_SERVER_TASKS_SQLITE_DATABASE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/tasks/store.h"

namespace grove::tasks {

class SqliteDatabase {
 public:
  // Errors as SqliteStore::Open says.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& state_dir);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // Adds one to the number of starts and returns it.
  absl::StatusOr<uint64_t> CountStart();
  absl::StatusOr<std::vector<StoredTask>> LoadAll();
  // All of them or none. On return with OK they are on disk.
  absl::Status Apply(absl::Span<const StoreWrite> writes);

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

  SqliteDatabase(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  absl::Status Connect();
  absl::Status CheckFormat();
  absl::Status CheckIntegrity();
  absl::Status CreateTables();
  absl::Status PrepareWrites();
  absl::Status ApplyOne(const StoreWrite& write);
  absl::Status Execute(const char* sql);
  absl::Status Step(sqlite3_stmt* statement);
  absl::StatusOr<Statement> Prepare(const char* sql);
  absl::StatusOr<int64_t> QueryNumber(const char* sql);
  absl::Status Error(std::string_view doing) const;

  const std::string path_;
  // Holds the lock while it is open.
  const int lock_fd_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  // After database_: finalized before it is closed.
  Statement insert_;
  Statement update_;
  Statement delete_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SQLITE_DATABASE_H_
