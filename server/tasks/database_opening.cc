#include "server/tasks/database_opening.h"

#include <algorithm>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/ended_migration.h"
#include "server/tasks/ended_rows.h"
#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

// "GRVT" in the file's header: tells Grove's task database from anybody else's.
constexpr int64_t kApplicationId = 0x47525654;
// Larger ones stay as they are: rewriting would hold up the start.
constexpr int64_t kRewrittenBytesMax = int64_t{64} << 20;

// In one transaction: after a death in between it is what it was, or what it is to be.
absl::Status MigrateFrom1(const sqlite::Connection& connection) {
  absl::Status status = connection.Execute(
      StrCat("BEGIN IMMEDIATE;", std::string(kMigrateFrom1), "PRAGMA user_version = 2;COMMIT;"));
  if (!status.ok() && connection.InTransaction()) connection.Execute("ROLLBACK").IgnoreError();
  return status;
}

absl::Status Migrate(const sqlite::Connection& connection, int64_t version,
                     const std::string& path) {
  absl::Status status = version == 1 ? MigrateFrom1(connection) : absl::OkStatus();
  return status.ok() ? IndexEndedTasks(connection, path) : status;
}

absl::Status CheckFormat(const sqlite::Connection& connection, const std::string& path) {
  const auto application = connection.QueryNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != kApplicationId) {
    return absl::FailedPreconditionError(
        StrCat(path, " is a database of another program; move it away or use another --state_dir"));
  }
  const auto version = connection.QueryNumber("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kSchemaVersion) return absl::OkStatus();
  if (*version == 1 || *version == 2) return Migrate(connection, *version, path);
  return absl::FailedPreconditionError(
      StrCat(path, " has schema version ", *version, ", this program reads versions up to ",
             kSchemaVersion, "; use the program that wrote it or another --state_dir"));
}

absl::StatusOr<int64_t> SizeOf(const sqlite::Connection& connection) {
  const auto pages = connection.QueryNumber("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  const auto page_bytes = connection.QueryNumber("PRAGMA page_size");
  if (!page_bytes.ok()) return page_bytes.status();
  return *pages * *page_bytes;
}

absl::Status CheckIntegrity(const sqlite::Connection& connection, const std::string& path) {
  const auto size = SizeOf(connection);
  if (!size.ok()) return size.status();
  if (*size > kCheckedBytesMax) return absl::OkStatus();
  const auto check = connection.Prepare("PRAGMA quick_check(1)");
  if (!check.ok()) return check.status();
  if (connection.Step(check->get()) != SQLITE_ROW) return connection.Error("check");
  const std::string verdict = ColumnBytes(check->get(), 0);
  if (verdict == "ok") return absl::OkStatus();
  return absl::DataLossError(
      StrCat(path, " is damaged (", verdict, "); restore it from a backup or move it away"));
}

// The write-ahead log makes a commit one append. FULL: every commit is flushed, because a durable
// task that was acknowledged must survive a loss of power; NORMAL would flush only at checkpoints
// and lose the last commits. FAST: distributions build SQLite so that it overwrites what is deleted
// with zeros, and a deletion would take as much room in the log as the task did.
absl::Status SetUp(const sqlite::Connection& connection, int64_t log_bytes) {
  const auto page_bytes = connection.QueryNumber("PRAGMA page_size");
  if (!page_bytes.ok()) return page_bytes.status();
  return connection.Execute(StrCat(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", "PRAGMA secure_delete = FAST;",
      "PRAGMA wal_autocheckpoint = ", std::max<int64_t>(log_bytes / *page_bytes, 16),
      "; PRAGMA journal_size_limit = ", 2 * log_bytes, ";"));
}

absl::Status CreateTables(const sqlite::Connection& connection) {
  const std::string marks = StrCat("PRAGMA application_id = ", kApplicationId,
                                   "; PRAGMA user_version = ", kSchemaVersion, ";");
  return connection.Execute(StrCat("BEGIN IMMEDIATE;", std::string(kCreateTables),
                                   std::string(kCreateEnded), marks, "COMMIT;"));
}

// Databases of before keep the pages that they once took for ever. To be without the gift of
// shrinking is no fault: whatever goes wrong here leaves the database as it was.
void LetShrink(const sqlite::Connection& connection, int64_t spare_bytes) {
  const auto mode = connection.QueryNumber("PRAGMA auto_vacuum");
  const auto size = SizeOf(connection);
  if (!mode.ok() || *mode != 0 || !size.ok()) return;
  // A copy in the log, another in a temporary file.
  if (*size > kRewrittenBytesMax || *size > spare_bytes / 4) return;
  connection.Execute("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;").IgnoreError();
}

enum class Check { kDamage, kFormat };

absl::StatusOr<OpenedDatabase> OpenDatabase(const OpeningOptions& options, Check check) {
  // Where one was open a moment ago, an empty one would hide the loss.
  const auto missing = check == Check::kDamage ? sqlite::Connection::Missing::kCreate
                                               : sqlite::Connection::Missing::kRefuse;
  auto connection = sqlite::Connection::Open(options.path, missing);
  if (!connection.ok()) return connection.status();
  const auto tables = connection->QueryNumber("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  absl::Status status;
  if (*tables == 0) {
    // Before anything is written: later it would take a rewrite.
    status = connection->Execute("PRAGMA auto_vacuum = INCREMENTAL");
  } else {
    status = CheckFormat(*connection, options.path);
    if (status.ok() && check == Check::kDamage) status = CheckIntegrity(*connection, options.path);
  }
  if (status.ok()) status = SetUp(*connection, options.log_bytes);
  if (status.ok() && *tables == 0) status = CreateTables(*connection);
  if (!status.ok()) return status;
  if (check == Check::kDamage) LetShrink(*connection, options.spare_bytes);
  return OpenedDatabase{.connection = *std::move(connection), .is_new = *tables == 0};
}

}  // namespace

absl::StatusOr<OpenedDatabase> OpenTaskDatabase(const OpeningOptions& options) {
  return OpenDatabase(options, Check::kDamage);
}

absl::StatusOr<OpenedDatabase> ReopenTaskDatabase(const OpeningOptions& options) {
  return OpenDatabase(options, Check::kFormat);
}

}  // namespace grove::tasks
