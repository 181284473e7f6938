// Connection: an open connection to a SQLite file, its errors as absl::Status.
//
// Knows nothing of what is in it. Blocks on the disk. One thread at a time may use it.
#ifndef GROVE_SERVER_SQLITE_CONNECTION_H_
#define GROVE_SERVER_SQLITE_CONNECTION_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::sqlite {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
// To be gone before its connection is closed.
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

class Connection {
 public:
  enum class Missing { kCreate, kRefuse };

  // Not open.
  Connection() = default;
  static absl::StatusOr<Connection> Open(const std::string& path, Missing missing);

  bool is_open() const { return database_ != nullptr; }
  void Close() { database_.reset(); }

  // One or more statements; rows are dropped.
  absl::Status Execute(const std::string& sql) const;
  absl::StatusOr<Statement> Prepare(const char* sql) const;
  // The first column of the first row.
  absl::StatusOr<int64_t> QueryNumber(const char* sql) const;

  // sqlite3_step(), and a checkpoint that leaves the log empty: SQLite's own codes.
  int Step(sqlite3_stmt* statement) const;
  int Checkpoint() const;

  // What went wrong in the call before: RESOURCE_EXHAUSTED (volume, quota or file size limit),
  // DATA_LOSS, PERMISSION_DENIED, UNAVAILABLE (all else). Names the file and what to do.
  absl::Status Error(std::string_view doing) const;
  // A failed transaction may have been rolled back by itself.
  bool InTransaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }
  sqlite3* get() const { return database_.get(); }

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  std::string path_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
};

}  // namespace grove::sqlite

#endif  // GROVE_SERVER_SQLITE_CONNECTION_H_
