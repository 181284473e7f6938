// What must hold before a file is used as a task database?
//
// It is ours, of a version that we read, and not damaged; a new one gets its tables.
#ifndef GROVE_SERVER_TASKS_DATABASE_OPENING_H_
#define GROVE_SERVER_TASKS_DATABASE_OPENING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/sqlite/connection.h"

namespace grove::tasks {

struct OpeningOptions {
  std::string path;
  // The write-ahead log is written back when it is as long as this.
  int64_t log_bytes = int64_t{16} << 20;
  // What the volume has left: a small database of before is rewritten so that it can shrink.
  int64_t spare_bytes = INT64_MAX;
};

struct OpenedDatabase {
  sqlite::Connection connection;
  // It has just got its tables.
  bool is_new = false;
};

// Errors as SqliteStore::Open says. Reads up to kCheckedBytesMax to find damage.
absl::StatusOr<OpenedDatabase> OpenTaskDatabase(const OpeningOptions& options);
// A file that was open a moment ago, without the search for damage.
absl::StatusOr<OpenedDatabase> ReopenTaskDatabase(const OpeningOptions& options);

// Reading a larger database takes longer than a start should; its size alone is checked.
inline constexpr int64_t kCheckedBytesMax = int64_t{1} << 30;

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_DATABASE_OPENING_H_
