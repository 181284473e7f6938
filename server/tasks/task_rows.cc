#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

#define GROVE_TASK_COLUMNS                                                                     \
  "id, attempt, incarnation, worker, failures, interruptions, end_time_us, progress, tenant, " \
  "queue, spec, fingerprint, "

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

}  // namespace

// A row of version 1 has its input in the spec, and NULL here.
const char kMigrateFrom1[] =
    "ALTER TABLE tasks ADD COLUMN fingerprint INTEGER; ALTER TABLE tasks ADD COLUMN input BLOB;";

// One row per task: a typical row is a few hundred bytes, so an update that rewrites `spec` too is
// cheaper than a second table. The ids grow with time, so inserts go to the end of the index. The
// small columns come first: to look at them no page of a large `progress` or `input` is read.
const char kCreateTables[] = R"(
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
  spec BLOB NOT NULL,
  fingerprint INTEGER,
  kind INTEGER,
  input BLOB
);
)";

const char kSelectTask[] =
    "SELECT " GROVE_TASK_COLUMNS "length(input), input FROM tasks WHERE id = ?1";
const char kSelectShort[] = "SELECT " GROVE_TASK_COLUMNS
                            "length(input), CASE WHEN length(input) <= ?2 THEN input END"
                            " FROM tasks WHERE id = ?1";
// By the index of the ids: sorting would copy all rows first.
const char kSelectAll[] = "SELECT " GROVE_TASK_COLUMNS
                          "length(input), CASE WHEN length(input) <= ?1 THEN input END"
                          " FROM tasks INDEXED BY sqlite_autoindex_tasks_1 ORDER BY id";
// The ids stand in that index: of what is left out no row is read.
const char kSelectKept[] = "SELECT " GROVE_TASK_COLUMNS
                           "length(input), CASE WHEN length(input) <= ?1 THEN input END"
                           " FROM tasks INDEXED BY sqlite_autoindex_tasks_1"
                           " WHERE NOT grove_leaves_out(id) ORDER BY id";
const char kSelectBare[] =
    "SELECT id, end_time_us, tenant, queue, function, state"
    " FROM ended_kinds CROSS JOIN ended USING (kind) WHERE bare = 1 ORDER BY kind, id";
const char kSelectExpired[] =
    "SELECT id FROM ended_kinds CROSS JOIN ended INDEXED BY ended_by_end USING (kind)"
    " WHERE (end_time_us, id) < (?1, ?2)";
const char kSelectEnds[] = "SELECT end_time_us, id FROM ended";
const char kCountEnds[] = "SELECT total(count) FROM ended_kinds";
const char kInsertTask[] = "INSERT INTO tasks (" GROVE_TASK_COLUMNS
                           "input, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
                           " ?13, ?14) ON CONFLICT (id) DO NOTHING";
const char kUpdateTask[] =
    "UPDATE tasks SET attempt = ?2, incarnation = ?3, worker = ?4, failures = ?5,"
    " interruptions = ?6, end_time_us = ?7, progress = ?8, kind = ?14"
    " WHERE id = ?1 AND (kind IS NULL OR kind = ?15)";
const char kDeleteTask[] = "DELETE FROM tasks WHERE id = ?1";
const char kSelectKind[] = "SELECT kind FROM tasks WHERE id = ?1";

const char kCreateQueues[] =
    "CREATE TABLE IF NOT EXISTS queues (tenant TEXT NOT NULL, queue TEXT NOT NULL,"
    " settings BLOB NOT NULL, PRIMARY KEY (tenant, queue))";
const char kCountQueueTables[] =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'queues'";
const char kSelectQueues[] = "SELECT tenant, queue, settings FROM queues";
const char kReplaceQueue[] =
    "INSERT OR REPLACE INTO queues (tenant, queue, settings) VALUES (?1, ?2, ?3)";
const char kDeleteQueue[] = "DELETE FROM queues WHERE tenant = ?1 AND queue = ?2";

// Big-endian, so that the bytes sort as the ids do.
void BindId(sqlite3_stmt* statement, int parameter, const TaskId& id) {
  char bytes[kIdBytes];
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(id.high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<char>(id.low >> (56 - 8 * i));
  }
  sqlite3_bind_blob(statement, parameter, bytes, kIdBytes, SQLITE_TRANSIENT);
}

void BindChange(sqlite3_stmt* statement, const TaskChange& change) {
  const StoredTask& task = change.write->task;
  BindId(statement, 1, task.id);
  if (change.kind != StoreWrite::Kind::kDelete) BindProgress(statement, *change.progress);
  if (change.kind != StoreWrite::Kind::kInsert) return;
  BindText(statement, 9, task.tenant);
  BindText(statement, 10, task.queue);
  BindBytes(statement, 11, task.spec);
  if (task.fingerprint != 0) {
    sqlite3_bind_int64(statement, 12, static_cast<int64_t>(task.fingerprint));
  }
  if (task.input_bytes >= 0) BindBytes(statement, 13, task.input);
}

void BindQueue(sqlite3_stmt* statement, const TaskChange& change) {
  BindText(statement, 1, change.write->task.tenant);
  BindText(statement, 2, change.write->task.queue);
  if (!change.progress->task.empty()) BindBytes(statement, 3, change.progress->task);
}

std::string ColumnBytes(sqlite3_stmt* row, int column) {
  const void* bytes = sqlite3_column_blob(row, column);
  const size_t size = sqlite3_column_bytes(row, column);
  return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

TaskId IdFromBytes(const uint8_t* bytes) {
  TaskId id;
  for (size_t i = 0; i < 8; ++i) {
    id.high = id.high << 8 | bytes[i];
    id.low = id.low << 8 | bytes[8 + i];
  }
  return id;
}

TaskId DecodeId(sqlite3_stmt* row, int column) {
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(row, column));
  const bool is_id = sqlite3_column_bytes(row, column) == static_cast<int>(kIdBytes);
  return is_id ? IdFromBytes(bytes) : TaskId();
}

StoredTask DecodeRow(sqlite3_stmt* row) {
  StoredTask task;
  task.id = DecodeId(row, 0);
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
  task.fingerprint = static_cast<uint64_t>(sqlite3_column_int64(row, 11));
  if (sqlite3_column_type(row, 12) == SQLITE_NULL) return task;
  task.input_bytes = sqlite3_column_int64(row, 12);
  task.input = ColumnBytes(row, 13);
  return task;
}

}  // namespace grove::tasks
