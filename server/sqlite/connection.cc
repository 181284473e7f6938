#include "server/sqlite/connection.h"

#include <errno.h>
#include <string.h>

#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr int kCheckpointTimeoutMs = 100;

// SQLite tells only ENOSPC from other failures to write.
bool LacksRoom(int code, int system_error) {
  if ((code & 0xff) == SQLITE_FULL) return true;
  return (code & 0xff) == SQLITE_IOERR &&
         (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG);
}

// What the system said of the call that failed, each of which begins with errno at 0. SQLite looks
// for files that need not be there (journals, logs): their ENOENT stays in errno, and is nobody's
// failure to read or write.
int SystemError(sqlite3* database) {
  // First errno: SQLite does not keep that of a COMMIT, and would say an earlier one's.
  for (const int error : {errno, sqlite3_system_errno(database)}) {
    if (error != 0 && error != ENOENT) return error;
  }
  return 0;
}

// SQLite counts its memory under a mutex of the process, for each allocation, for who asks for the
// sum: nobody does. Only before its first use: later it refuses, and goes on counting.
void CountNoMemory() {
  static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(configured);
}

}  // namespace

absl::StatusOr<Connection> Connection::Open(const std::string& path, Missing missing) {
  Connection connection;
  connection.path_ = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                    (missing == Missing::kCreate ? SQLITE_OPEN_CREATE : 0);
  CountNoMemory();
  errno = 0;
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  connection.database_.reset(database);
  if (code != SQLITE_OK) return connection.Error("open");
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  return connection;
}

absl::Status Connection::Execute(const std::string& sql) const {
  errno = 0;
  if (sqlite3_exec(get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return Error("write");
}

int Connection::Step(sqlite3_stmt* statement) const {
  errno = 0;
  return sqlite3_step(statement);
}

int Connection::Checkpoint() const {
  // Whoever copies the file reads for long: the log is emptied another time.
  sqlite3_busy_timeout(get(), kCheckpointTimeoutMs);
  errno = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  const int error = errno;
  sqlite3_busy_timeout(get(), kBusyTimeoutMs);
  errno = error;
  return code;
}

absl::StatusOr<Statement> Connection::Prepare(const char* sql) const {
  errno = 0;
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error("read");
  return Statement(statement);
}

absl::StatusOr<int64_t> Connection::QueryNumber(const char* sql) const {
  const auto statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  if (Step(statement->get()) != SQLITE_ROW) return Error("read");
  return sqlite3_column_int64(statement->get(), 0);
}

absl::Status Connection::Error(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(get());
  const int system_error = SystemError(get());
  std::string text = StrCat(doing, " ", path_, ": ", std::string(sqlite3_errmsg(get())));
  if (LacksRoom(code, system_error)) return absl::ResourceExhaustedError(text);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(StrCat(text, "; restore it from a backup or move it away"));
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return absl::PermissionDeniedError(StrCat(text, "; check who owns the directory"));
    case SQLITE_IOERR:
      if (system_error != 0) StrAppend(&text, " (", strerror(system_error), ")");
      return absl::UnavailableError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace grove::sqlite
