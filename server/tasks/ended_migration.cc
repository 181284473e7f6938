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
                 progress.webhook_task().empty();
  return task;
}

// In a transaction. The tasks behind `last`, which becomes the last of them; how many.
absl::StatusOr<int> EnterSome(const sqlite::Connection& connection, EndedRows& rows, TaskId& last) {
  const auto select = connection.Prepare(kSelectNext);
  if (!select.ok()) return select.status();
  BindId(select->get(), 1, last);
  sqlite3_bind_int(select->get(), 2, kRowsAtOnce);
  int count = 0;
  int code;
  while ((code = connection.Step(select->get())) == SQLITE_ROW) {
    const EndedRecord task = DecodeEnded(select->get());
    if (absl::Status put = rows.Put(task); !put.ok()) return put;
    last = task.id;
    ++count;
  }
  if (code != SQLITE_DONE) return connection.Error("read the tasks of");
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
  absl::Status status = InTransaction(connection, [&] {
    return connection.Execute(StrCat(std::string(kDropEnded), std::string(kCreateEnded)));
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
