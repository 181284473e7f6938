#include "server/tasks/ended_migration.h"

#include <chrono>

#include "grove/v1/task_service.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/log.h"
#include "server/tasks/ended_rows.h"
#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

using Clock = std::chrono::steady_clock;

// A transaction that the log takes without growing much.
constexpr int kRowsAtOnce = 5000;
constexpr auto kTellEvery = std::chrono::seconds(2);
// By the index of the ids.
constexpr char kSelectNext[] =
    "SELECT id, tenant, queue, end_time_us, spec, progress FROM tasks"
    " INDEXED BY sqlite_autoindex_tasks_1"
    " WHERE id > ?1 AND end_time_us != 0 AND length(id) = 16 ORDER BY id LIMIT ?2";

constexpr char kMark[] = "UPDATE tasks SET kind = ?2 WHERE id = ?1";
constexpr char kCountKindColumns[] =
    "SELECT count(*) FROM pragma_table_info('tasks') WHERE name = 'kind'";
// What an earlier try has marked; programs of version 2 know nothing of it.
constexpr char kUnmarkAll[] = "UPDATE tasks SET kind = NULL WHERE kind IS NOT NULL;";
constexpr char kAddMark[] = "ALTER TABLE tasks ADD COLUMN kind INTEGER;";

EndedRecord DecodeEnded(sqlite3_stmt* row) {
  EndedRecord task;
  task.id = DecodeId(row, 0);
  task.tenant = ColumnBytes(row, 1);
  task.queue = ColumnBytes(row, 2);
  task.end_time_us = sqlite3_column_int64(row, 3);
  v1::TaskSpec spec;
  v1::Task progress;
  // What does not parse goes with its retention, too.
  const bool parses =
      spec.ParseFromString(ColumnBytes(row, 4)) && progress.ParseFromString(ColumnBytes(row, 5));
  if (!parses) return task;
  task.function = spec.function();
  task.state = progress.state();
  task.is_bare = spec.request_id().empty() && !spec.has_sequence() && spec.limit_keys().empty() &&
                 spec.input_payload().empty() && progress.output_payload().empty() &&
                 progress.webhook_task().empty();
  return task;
}

// In a transaction. The tasks behind `last`, which becomes the last of them; how many.
absl::StatusOr<int> EnterSome(const sqlite::Connection& connection, EndedRows& rows, TaskId& last) {
  const auto select = connection.Prepare(kSelectNext);
  if (!select.ok()) return select.status();
  const auto mark = connection.Prepare(kMark);
  if (!mark.ok()) return mark.status();
  BindId(select->get(), 1, last);
  sqlite3_bind_int(select->get(), 2, kRowsAtOnce);
  int count = 0;
  int code;
  while ((code = connection.Step(select->get())) == SQLITE_ROW) {
    const EndedRecord task = DecodeEnded(select->get());
    const auto kind = rows.KindOf(task);
    if (!kind.ok()) return kind.status();
    if (absl::Status put = rows.Put(*kind, {task.end_time_us, task.id}); !put.ok()) return put;
    BindId(mark->get(), 1, task.id);
    sqlite3_bind_int64(mark->get(), 2, *kind);
    if (connection.Step(mark->get()) != SQLITE_DONE) return connection.Error("write");
    sqlite3_reset(mark->get());
    last = task.id;
    ++count;
  }
  if (code != SQLITE_DONE) return connection.Error("read the tasks of");
  if (absl::Status counted = rows.WriteCounts(); !counted.ok()) return counted;
  return count;
}

// Calls `step` in a transaction.
template <typename Step>
absl::Status InTransaction(const sqlite::Connection& connection, Step step) {
  absl::Status status = connection.Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = step();
  if (status.ok()) status = connection.Execute("COMMIT");
  if (!status.ok() && connection.InTransaction()) connection.Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace

absl::Status IndexEndedTasks(const sqlite::Connection& connection, const std::string& path) {
  absl::Status status = InTransaction(connection, [&]() -> absl::Status {
    const auto columns = connection.QueryNumber(kCountKindColumns);
    if (!columns.ok()) return columns.status();
    return connection.Execute(StrCat(std::string(kDropEnded), std::string(kCreateEnded),
                                     *columns == 0 ? kAddMark : kUnmarkAll));
  });
  if (!status.ok()) return status;
  EndedRows rows;
  if (status = rows.Prepare(connection); !status.ok()) return status;
  Clock::time_point tell_at = Clock::now() + kTellEvery;
  bool was_told = false;
  TaskId last;
  int64_t entered = 0;
  for (bool more = true; more && status.ok();) {
    status = InTransaction(connection, [&]() -> absl::Status {
      const auto count = EnterSome(connection, rows, last);
      if (!count.ok()) return count.status();
      entered += *count;
      more = *count == kRowsAtOnce;
      return more ? absl::OkStatus()
                  : connection.Execute(StrCat("PRAGMA user_version = ", kSchemaVersion));
    });
    const bool is_done = status.ok() && !more;
    if (Clock::now() < tell_at && !(is_done && was_told)) continue;
    Log(LogLevel::kInfo,
        is_done ? "the ended tasks of the database are indexed"
                : "the ended tasks of the database are being indexed",
        {{"file", path}, {"indexed", entered}});
    was_told = true;
    tell_at = Clock::now() + kTellEvery;
  }
  return status;
}

}  // namespace grove::tasks
