#include "server/tasks/sqlite_database.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tasks {
namespace {

// "GRVT" in the file's header: tells Grove's task database from anybody else's.
constexpr int64_t kApplicationId = 0x47525654;
constexpr int64_t kSchemaVersion = 1;
constexpr int kBusyTimeoutMs = 5000;

// One row per task: a typical row is a few hundred bytes, so an update that rewrites `spec` too is
// cheaper than a second table. The ids grow with time, so inserts go to the end of the index.
constexpr char kCreateTables[] = R"(
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
  id BLOB NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL,
  queue TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  incarnation INTEGER NOT NULL,
  worker INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  interruptions INTEGER NOT NULL,
  end_time_us INTEGER NOT NULL,
  progress BLOB NOT NULL,
  spec BLOB NOT NULL
);
)";

// The write-ahead log makes a commit one append. FULL: every commit is flushed, because a durable
// task that was acknowledged must survive a loss of power; NORMAL would flush only at checkpoints
// and lose the last commits.
constexpr char kSettings[] = R"(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
)";

constexpr char kSelect[] =
    "SELECT id, attempt, incarnation, worker, failures, interruptions, end_time_us, progress, "
    "tenant, queue, spec "
    "FROM tasks ORDER BY id";
constexpr char kInsert[] =
    "INSERT OR REPLACE INTO tasks (id, attempt, incarnation, worker, failures, interruptions, "
    "end_time_us, progress, "
    "tenant, queue, spec) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
constexpr char kUpdate[] =
    "UPDATE tasks SET attempt = ?2, incarnation = ?3, worker = ?4, failures = ?5, interruptions = "
    "?6, "
    "end_time_us = ?7, progress = ?8 WHERE id = ?1";
constexpr char kDelete[] = "DELETE FROM tasks WHERE id = ?1";

constexpr size_t kIdBytes = 16;

// Big-endian, so that the bytes sort as the ids do.
void EncodeId(const TaskId& id, char* bytes) {
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(id.high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<char>(id.low >> (56 - 8 * i));
  }
}

TaskId DecodeId(const std::string& bytes) {
  TaskId id;
  for (size_t i = 0; i < 8 && bytes.size() == kIdBytes; ++i) {
    id.high = id.high << 8 | static_cast<unsigned char>(bytes[i]);
    id.low = id.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  return id;
}

std::string ColumnBytes(sqlite3_stmt* row, int column) {
  const void* bytes = sqlite3_column_blob(row, column);
  const size_t size = sqlite3_column_bytes(row, column);
  return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

StoredTask DecodeRow(sqlite3_stmt* row) {
  StoredTask task;
  task.id = DecodeId(ColumnBytes(row, 0));
  task.progress.attempt = static_cast<uint64_t>(sqlite3_column_int64(row, 1));
  task.progress.incarnation = static_cast<uint64_t>(sqlite3_column_int64(row, 2));
  task.progress.worker = sqlite3_column_int(row, 3);
  task.progress.failures = sqlite3_column_int(row, 4);
  task.progress.interruptions = sqlite3_column_int(row, 5);
  task.progress.end_time_us = sqlite3_column_int64(row, 6);
  task.progress.task = ColumnBytes(row, 7);
  task.tenant = ColumnBytes(row, 8);
  task.queue = ColumnBytes(row, 9);
  task.spec = ColumnBytes(row, 10);
  return task;
}

void BindBytes(sqlite3_stmt* statement, int parameter, const std::string& bytes) {
  sqlite3_bind_blob64(statement, parameter, bytes.data(), bytes.size(), SQLITE_STATIC);
}

void BindText(sqlite3_stmt* statement, int parameter, const std::string& text) {
  sqlite3_bind_text64(statement, parameter, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void BindProgress(sqlite3_stmt* statement, const StoredProgress& progress) {
  sqlite3_bind_int64(statement, 2, static_cast<int64_t>(progress.attempt));
  sqlite3_bind_int64(statement, 3, static_cast<int64_t>(progress.incarnation));
  sqlite3_bind_int(statement, 4, progress.worker);
  sqlite3_bind_int(statement, 5, progress.failures);
  sqlite3_bind_int(statement, 6, progress.interruptions);
  sqlite3_bind_int64(statement, 7, progress.end_time_us);
  BindBytes(statement, 8, progress.task);
}

absl::Status FileError(int error, const std::string& message) {
  const std::string text = StrCat(message, ": ", strerror(error));
  return error == EACCES || error == EROFS || error == EPERM ? absl::PermissionDeniedError(text)
                                                             : absl::UnavailableError(text);
}

absl::StatusOr<int> TakeLock(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) return FileError(error.value(), "create the state directory " + state_dir);
  const std::string path = state_dir + "/tasks.lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return FileError(errno, "open the lock file " + path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int lock_error = errno;
  close(fd);
  if (lock_error != EWOULDBLOCK) return FileError(lock_error, "lock " + path);
  return absl::FailedPreconditionError(
      StrCat("another daemon uses the state directory ", state_dir,
             "; stop it, or give this one a --state_dir of its own"));
}

// Index of the last update of each task: earlier ones of the same batch need not reach the disk.
absl::flat_hash_map<TaskId, size_t> LastUpdates(absl::Span<const StoreWrite> writes) {
  absl::flat_hash_map<TaskId, size_t> last;
  for (size_t i = 0; i < writes.size(); ++i) {
    if (writes[i].kind == StoreWrite::Kind::kUpdate) last[writes[i].task.id] = i;
  }
  return last;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& state_dir) {
  const auto lock_fd = TakeLock(state_dir);
  if (!lock_fd.ok()) return lock_fd.status();
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(state_dir + "/tasks.db", *lock_fd));
  absl::Status status = database->Connect();
  if (status.ok()) status = database->CheckFormat();
  if (status.ok()) status = database->CheckIntegrity();
  if (status.ok()) status = database->CreateTables();
  if (status.ok()) status = database->PrepareWrites();
  if (!status.ok()) return status;
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  insert_.reset();
  update_.reset();
  delete_.reset();
  database_.reset();
  // Last: the next owner must find the file closed.
  close(lock_fd_);
}

absl::Status SqliteDatabase::Connect() {
  sqlite3* database = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path_.c_str(), &database, flags, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) return Error("open");
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  return absl::OkStatus();
}

absl::Status SqliteDatabase::CheckFormat() {
  const auto tables = QueryNumber("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*tables == 0) return absl::OkStatus();
  const auto application = QueryNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != kApplicationId) {
    return absl::FailedPreconditionError(StrCat(
        path_, " is a database of another program; move it away or use another --state_dir"));
  }
  const auto version = QueryNumber("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kSchemaVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat(path_, " has schema version ", *version, ", this program reads version ",
             kSchemaVersion, "; use the program that wrote it or another --state_dir"));
}

absl::Status SqliteDatabase::CheckIntegrity() {
  auto check = Prepare("PRAGMA quick_check(1)");
  if (!check.ok()) return check.status();
  if (sqlite3_step(check->get()) != SQLITE_ROW) return Error("check");
  const std::string verdict = ColumnBytes(check->get(), 0);
  if (verdict == "ok") return absl::OkStatus();
  return absl::DataLossError(
      StrCat(path_, " is damaged (", verdict, "); restore it from a backup or move it away"));
}

absl::Status SqliteDatabase::CreateTables() {
  if (absl::Status s = Execute(kSettings); !s.ok()) return s;
  const std::string marks = StrCat("PRAGMA application_id = ", kApplicationId,
                                   "; PRAGMA user_version = ", kSchemaVersion, ";");
  return Execute(StrCat("BEGIN IMMEDIATE;", kCreateTables, marks, "COMMIT;").c_str());
}

absl::Status SqliteDatabase::PrepareWrites() {
  for (auto [statement, sql] :
       {std::pair(&insert_, kInsert), std::pair(&update_, kUpdate), std::pair(&delete_, kDelete)}) {
    auto prepared = Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SqliteDatabase::CountStart() {
  absl::Status status = Execute(
      "INSERT INTO counters VALUES ('starts', 1) ON CONFLICT(name) DO UPDATE SET value = value + "
      "1");
  if (!status.ok()) return status;
  return QueryNumber("SELECT value FROM counters WHERE name = 'starts'");
}

absl::StatusOr<std::vector<StoredTask>> SqliteDatabase::LoadAll() {
  auto select = Prepare(kSelect);
  if (!select.ok()) return select.status();
  std::vector<StoredTask> tasks;
  int code;
  while ((code = sqlite3_step(select->get())) == SQLITE_ROW) {
    tasks.push_back(DecodeRow(select->get()));
  }
  if (code != SQLITE_DONE) return Error("read the tasks of");
  return tasks;
}

absl::Status SqliteDatabase::Apply(absl::Span<const StoreWrite> writes) {
  const auto last_updates = LastUpdates(writes);
  absl::Status status = Execute("BEGIN IMMEDIATE");
  for (size_t i = 0; i < writes.size() && status.ok(); ++i) {
    const bool is_update = writes[i].kind == StoreWrite::Kind::kUpdate;
    if (is_update && last_updates.at(writes[i].task.id) != i) continue;
    status = ApplyOne(writes[i]);
  }
  if (status.ok()) status = Execute("COMMIT");
  // Some errors have rolled back by themselves; then there is nothing left to roll back.
  if (!status.ok() && sqlite3_get_autocommit(database_.get()) == 0) {
    Execute("ROLLBACK").IgnoreError();
  }
  return status;
}

absl::Status SqliteDatabase::ApplyOne(const StoreWrite& write) {
  char id[kIdBytes];
  EncodeId(write.task.id, id);
  sqlite3_stmt* statement = write.kind == StoreWrite::Kind::kInsert   ? insert_.get()
                            : write.kind == StoreWrite::Kind::kUpdate ? update_.get()
                                                                      : delete_.get();
  sqlite3_bind_blob(statement, 1, id, kIdBytes, SQLITE_STATIC);
  if (write.kind != StoreWrite::Kind::kDelete) BindProgress(statement, write.task.progress);
  if (write.kind == StoreWrite::Kind::kInsert) {
    BindText(statement, 9, write.task.tenant);
    BindText(statement, 10, write.task.queue);
    BindBytes(statement, 11, write.task.spec);
  }
  return Step(statement);
}

absl::Status SqliteDatabase::Step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : Error("write");
  sqlite3_reset(statement);
  // The bound bytes are the caller's and end with this call.
  sqlite3_clear_bindings(statement);
  return status;
}

absl::Status SqliteDatabase::Execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return Error("write");
}

absl::StatusOr<SqliteDatabase::Statement> SqliteDatabase::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error("read");
  return Statement(statement);
}

absl::StatusOr<int64_t> SqliteDatabase::QueryNumber(const char* sql) {
  auto statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  if (sqlite3_step(statement->get()) != SQLITE_ROW) return Error("read");
  return sqlite3_column_int64(statement->get(), 0);
}

absl::Status SqliteDatabase::Error(std::string_view doing) const {
  const std::string text = StrCat(doing, " ", path_, ": ", sqlite3_errmsg(database_.get()));
  switch (sqlite3_errcode(database_.get()) & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(StrCat(text, "; restore it from a backup or move it away"));
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return absl::PermissionDeniedError(StrCat(text, "; check who owns the directory"));
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace grove::tasks
