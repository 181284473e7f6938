// Side files: small databases beside the tasks', a file each.
//
// Opens one and checks whose it is, notices when it is taken away, and puts values into statements
// and takes them out. Blocks on the disk.
#ifndef GROVE_SERVER_SQLITE_SIDE_FILE_H_
#define GROVE_SERVER_SQLITE_SIDE_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/sqlite/connection.h"

namespace grove::sqlite {

struct SideFormat {
  // In the file's header: tells it from the other databases, and from anybody else's.
  int64_t application_id = 0;
  int64_t schema_version = 0;
  // SQL that makes the tables of that version.
  const char* create_tables = "";
};

// Opens or creates it; only its owner may read it, and what is committed lasts through a loss of
// power. FAILED_PRECONDITION: a database of another program, or of another version; else as
// Connection.
absl::StatusOr<Connection> OpenSideFile(const std::string& path, const SideFormat& format);

// Whether an open file still has its name: otherwise what is written is lost with the process.
class PlaceOfFile {
 public:
  static absl::StatusOr<PlaceOfFile> Of(const std::string& path);
  // UNAVAILABLE: it was replaced or taken away.
  absl::Status Check() const;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// Puts values into a statement, one after the other; they have to outlive its step.
class Binder {
 public:
  explicit Binder(sqlite3_stmt* statement) : statement_(statement) {}
  Binder& operator<<(int64_t value);
  Binder& operator<<(const std::string& text);
  Binder& Bytes(std::string_view bytes);

 private:
  sqlite3_stmt* const statement_;
  int parameter_ = 0;
};

// What a row has there; empty for NULL.
std::string TextOf(sqlite3_stmt* row, int column);

// Steps a statement that gives no rows, and makes it ready for the next values.
absl::Status RunStatement(const Connection& connection, sqlite3_stmt* statement);

}  // namespace grove::sqlite

#endif  // GROVE_SERVER_SQLITE_SIDE_FILE_H_
