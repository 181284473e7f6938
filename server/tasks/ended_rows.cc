// An end costs two insertions into trees, near where the last ones were made: kinds are looked up
// in memory, and their counts written once a transaction.
#include "server/tasks/ended_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

// Kinds that are remembered: some 100 bytes each.
constexpr size_t kRememberedMax = 10'000;

// Has made its change when it gives the first row.
constexpr char kTakeKind[] =
    "INSERT INTO ended_kinds (tenant, queue, function, state, bare, count)"
    " VALUES (?1, ?2, ?3, ?4, ?5, 0) ON CONFLICT (tenant, queue, function, state, bare)"
    " DO UPDATE SET count = count RETURNING kind";
constexpr char kPut[] = "INSERT INTO ended (kind, id, end_time_us) VALUES (?1, ?2, ?3)";
constexpr char kRemove[] = "DELETE FROM ended WHERE kind = ?1 AND id = ?2";
constexpr char kCount[] = "UPDATE ended_kinds SET count = count + ?2 WHERE kind = ?1";
constexpr char kDropKind[] = "DELETE FROM ended_kinds WHERE kind = ?1 AND count = 0";

void BindText(const sqlite::Statement& statement, int parameter, const std::string& text) {
  sqlite3_bind_text64(statement.get(), parameter, text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

}  // namespace

// The index by the ends has the ids, too, as the table's key has them.
const char kCreateEnded[] = R"(
CREATE TABLE ended_kinds (
  kind INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  queue TEXT NOT NULL,
  function TEXT NOT NULL,
  state INTEGER NOT NULL,
  bare INTEGER NOT NULL,
  count INTEGER NOT NULL,
  UNIQUE (tenant, queue, function, state, bare)
);
CREATE TABLE ended (
  kind INTEGER NOT NULL,
  id BLOB NOT NULL,
  end_time_us INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX ended_by_end ON ended (kind, end_time_us, id);
)";
const char kDropEnded[] = "DROP TABLE IF EXISTS ended; DROP TABLE IF EXISTS ended_kinds;";

absl::Status EndedRows::Prepare(const sqlite::Connection& connection) {
  connection_ = &connection;
  for (auto [statement, sql] :
       {std::pair(&take_kind_, kTakeKind), std::pair(&put_, kPut), std::pair(&remove_, kRemove),
        std::pair(&count_, kCount), std::pair(&drop_kind_, kDropKind)}) {
    auto prepared = connection.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

void EndedRows::Close() {
  for (sqlite::Statement* each : {&take_kind_, &put_, &remove_, &count_, &drop_kind_}) {
    each->reset();
  }
  Forget();
  connection_ = nullptr;
}

void EndedRows::Forget() {
  kinds_.clear();
  counts_.clear();
}

absl::Status EndedRows::Run(const sqlite::Statement& statement, int64_t* number) const {
  const int code = connection_->Step(statement.get());
  if (code == SQLITE_ROW && number != nullptr) *number = sqlite3_column_int64(statement.get(), 0);
  absl::Status status =
      code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : connection_->Error("write");
  // The bound bytes are the caller's: what is bound next takes their place.
  sqlite3_reset(statement.get());
  return status;
}

absl::StatusOr<int64_t> EndedRows::KindOf(const EndedRecord& task) {
  key_.clear();
  // No name has a byte 0 in it.
  for (const std::string* part : {&task.tenant, &task.queue, &task.function}) {
    key_.append(*part).push_back('\0');
  }
  absl::StrAppend(&key_, task.state, task.is_bare ? "b" : "");
  if (const auto known = kinds_.find(key_); known != kinds_.end()) return known->second;
  BindText(take_kind_, 1, task.tenant);
  BindText(take_kind_, 2, task.queue);
  BindText(take_kind_, 3, task.function);
  sqlite3_bind_int(take_kind_.get(), 4, task.state);
  sqlite3_bind_int(take_kind_.get(), 5, task.is_bare ? 1 : 0);
  int64_t kind = 0;
  absl::Status taken = Run(take_kind_, &kind);
  sqlite3_clear_bindings(take_kind_.get());
  if (!taken.ok()) return taken;
  if (kinds_.size() >= kRememberedMax) kinds_.clear();
  kinds_.emplace(key_, kind);
  // What nothing comes of goes with the transaction.
  counts_.try_emplace(kind, 0);
  return kind;
}

absl::Status EndedRows::Put(int64_t kind, const EndedPosition& task) {
  sqlite3_bind_int64(put_.get(), 1, kind);
  BindId(put_.get(), 2, task.id);
  sqlite3_bind_int64(put_.get(), 3, task.end_time_us);
  ++counts_[kind];
  return Run(put_);
}

absl::Status EndedRows::Remove(int64_t kind, const TaskId& task) {
  sqlite3_bind_int64(remove_.get(), 1, kind);
  BindId(remove_.get(), 2, task);
  absl::Status status = Run(remove_);
  if (status.ok() && sqlite3_changes(connection_->get()) > 0) --counts_[kind];
  return status;
}

absl::Status EndedRows::WriteCounts() {
  for (const auto& [kind, by] : counts_) {
    sqlite3_bind_int64(count_.get(), 1, kind);
    sqlite3_bind_int64(count_.get(), 2, by);
    if (absl::Status counted = Run(count_); !counted.ok()) return counted;
    if (by > 0) continue;
    sqlite3_bind_int64(drop_kind_.get(), 1, kind);
    if (absl::Status dropped = Run(drop_kind_); !dropped.ok()) return dropped;
    if (sqlite3_changes(connection_->get()) > 0) kinds_.clear();
  }
  counts_.clear();
  return absl::OkStatus();
}

}  // namespace grove::tasks
