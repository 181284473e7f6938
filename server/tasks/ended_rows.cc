#include "server/tasks/ended_rows.h"

#include <string>
#include <utility>

#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

// Statements that change rows and answer have made all changes when they give the first row.
constexpr char kPut[] = "INSERT INTO ended (id, kind, end_time_us, bare) VALUES (?1, ?2, ?3, ?4)";
constexpr char kTakeKind[] =
    "INSERT INTO ended_kinds (tenant, queue, function, state, count) VALUES (?1, ?2, ?3, ?4, 1)"
    " ON CONFLICT (tenant, queue, function, state) DO UPDATE SET count = count + 1 RETURNING kind";
constexpr char kRemove[] = "DELETE FROM ended WHERE id = ?1 RETURNING kind";
constexpr char kGiveKind[] = "UPDATE ended_kinds SET count = count - 1 WHERE kind = ?1";
constexpr char kDropKind[] = "DELETE FROM ended_kinds WHERE kind = ?1 AND count = 0";

void BindText(const sqlite::Statement& statement, int parameter, const std::string& text) {
  sqlite3_bind_text64(statement.get(), parameter, text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

}  // namespace

// Each index has all columns: a query never goes back to the table.
const char kCreateEnded[] = R"(
CREATE TABLE ended_kinds (
  kind INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  queue TEXT NOT NULL,
  function TEXT NOT NULL,
  state INTEGER NOT NULL,
  count INTEGER NOT NULL,
  UNIQUE (tenant, queue, function, state)
);
CREATE TABLE ended (
  id BLOB NOT NULL PRIMARY KEY,
  kind INTEGER NOT NULL,
  end_time_us INTEGER NOT NULL,
  bare INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX ended_of_kind ON ended (kind, id, end_time_us);
CREATE INDEX ended_of_kind_by_end ON ended (kind, end_time_us, id);
CREATE INDEX ended_by_end ON ended (end_time_us, id, kind, bare);
)";
const char kDropEnded[] = "DROP TABLE IF EXISTS ended; DROP TABLE IF EXISTS ended_kinds;";

absl::Status EndedRows::Prepare(const sqlite::Connection& connection) {
  connection_ = &connection;
  for (auto [statement, sql] :
       {std::pair(&put_, kPut), std::pair(&take_kind_, kTakeKind), std::pair(&remove_, kRemove),
        std::pair(&give_kind_, kGiveKind), std::pair(&drop_kind_, kDropKind)}) {
    auto prepared = connection.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

void EndedRows::Close() {
  for (sqlite::Statement* each : {&put_, &take_kind_, &remove_, &give_kind_, &drop_kind_}) {
    each->reset();
  }
  connection_ = nullptr;
}

absl::Status EndedRows::Run(const sqlite::Statement& statement, int64_t* number) const {
  const int code = connection_->Step(statement.get());
  if (code == SQLITE_ROW && number != nullptr) *number = sqlite3_column_int64(statement.get(), 0);
  absl::Status status =
      code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : connection_->Error("write");
  sqlite3_reset(statement.get());
  // The bound bytes are the caller's.
  sqlite3_clear_bindings(statement.get());
  return status;
}

absl::Status EndedRows::Put(const EndedRecord& task) {
  if (absl::Status removed = Remove(task.id); !removed.ok()) return removed;
  BindText(take_kind_, 1, task.tenant);
  BindText(take_kind_, 2, task.queue);
  BindText(take_kind_, 3, task.function);
  sqlite3_bind_int(take_kind_.get(), 4, task.state);
  int64_t kind = 0;
  if (absl::Status taken = Run(take_kind_, &kind); !taken.ok()) return taken;
  BindId(put_.get(), 1, task.id);
  sqlite3_bind_int64(put_.get(), 2, kind);
  sqlite3_bind_int64(put_.get(), 3, task.end_time_us);
  sqlite3_bind_int(put_.get(), 4, task.is_bare);
  return Run(put_);
}

absl::Status EndedRows::Remove(const TaskId& task) {
  BindId(remove_.get(), 1, task);
  int64_t kind = 0;
  absl::Status status = Run(remove_, &kind);
  if (!status.ok() || kind == 0) return status;
  sqlite3_bind_int64(give_kind_.get(), 1, kind);
  status = Run(give_kind_);
  if (!status.ok()) return status;
  sqlite3_bind_int64(drop_kind_.get(), 1, kind);
  return Run(drop_kind_);
}

}  // namespace grove::tasks
