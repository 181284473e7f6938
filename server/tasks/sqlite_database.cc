#include "server/tasks/sqlite_database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

constexpr char kSetStarts[] =
    "INSERT INTO counters VALUES ('starts', ?1) ON CONFLICT(name) DO UPDATE SET value = ?1";
// 1 MiB of the usual pages, or what still fits: what moves goes through the log.
constexpr char kShrink[] = "PRAGMA incremental_vacuum(256)";
constexpr char kShrinkLittle[] = "PRAGMA incremental_vacuum(8)";

absl::Status FlushFile(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  const bool flushed = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (flushed) return absl::OkStatus();
  return absl::UnavailableError(StrCat("flush ", path, ": ", strerror(error)));
}

bool IsBefore(const EndedPosition& a, const EndedPosition& b) {
  return std::pair(a.end_time_us, a.id) < std::pair(b.end_time_us, b.id);
}

// Tasks that a load passes over, ascending: asked in the same order.
struct LeftOut {
  std::vector<TaskId> ids;
  size_t next = 0;

  bool Has(const TaskId& id) {
    while (next < ids.size() && ids[next] < id) ++next;
    return next < ids.size() && ids[next] == id;
  }
};

// SQL: grove_leaves_out(id). What is no id is loaded.
void LeavesOut(sqlite3_context* context, int /*count*/, sqlite3_value** arguments) {
  auto* left_out = static_cast<LeftOut*>(sqlite3_user_data(context));
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_value_blob(arguments[0]));
  const bool is_id = sqlite3_value_bytes(arguments[0]) == static_cast<int>(kIdBytes);
  sqlite3_result_int(context, is_id && left_out->Has(IdFromBytes(bytes)) ? 1 : 0);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(OpeningOptions options) {
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(std::move(options)));
  auto opened = OpenTaskDatabase(database->options_);
  if (!opened.ok()) return opened.status();
  database->was_empty_ = opened->is_new;
  if (absl::Status used = database->Use(*std::move(opened)); !used.ok()) return used;
  return database;
}

absl::Status SqliteDatabase::Use(OpenedDatabase opened) {
  connection_ = std::move(opened.connection);
  const auto page_bytes = connection_.QueryNumber("PRAGMA page_size");
  if (!page_bytes.ok()) return page_bytes.status();
  page_bytes_ = *page_bytes;
  for (auto [statement, sql] :
       {std::pair(&insert_, kInsertTask), std::pair(&update_, kUpdateTask),
        std::pair(&delete_, kDeleteTask), std::pair(&select_kind_, kSelectKind)}) {
    auto prepared = connection_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return ended_.Prepare(connection_);
}

void SqliteDatabase::Close() {
  ended_.Close();
  insert_.reset();
  update_.reset();
  delete_.reset();
  select_kind_.reset();
  connection_.Close();
}

absl::StatusOr<uint64_t> SqliteDatabase::Starts() const {
  return connection_.QueryNumber("SELECT max(value) FROM counters WHERE name = 'starts'");
}

absl::Status SqliteDatabase::SetStarts(uint64_t starts) const {
  const auto set = connection_.Prepare(kSetStarts);
  if (!set.ok()) return set.status();
  sqlite3_bind_int64(set->get(), 1, static_cast<int64_t>(starts));
  return connection_.Step(set->get()) == SQLITE_DONE ? absl::OkStatus()
                                                     : connection_.Error("write");
}

absl::Status SqliteDatabase::Load(const StoreRetention& retention,
                                  absl::FunctionRef<void(StoredTask)> each,
                                  std::vector<TaskId>& expired) const {
  const auto first = FindFirstKept(retention);
  if (!first.ok()) return first.status();
  if (absl::Status found = FindExpired(*first, expired); !found.ok()) return found;
  LeftOut left_out{.ids = expired};
  if (absl::Status found = FindLeftOut(left_out.ids); !found.ok()) return found;
  const bool has_some = !left_out.ids.empty();
  if (has_some &&
      sqlite3_create_function_v2(connection_.get(), "grove_leaves_out", 1, SQLITE_UTF8, &left_out,
                                 &LeavesOut, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return connection_.Error("read the tasks of");
  }
  const auto select = connection_.Prepare(has_some ? kSelectKept : kSelectAll);
  if (!select.ok()) return select.status();
  sqlite3_bind_int64(select->get(), 1, kInlinePayloadBytesMax);
  int code;
  while ((code = connection_.Step(select->get())) == SQLITE_ROW) each(DecodeRow(select->get()));
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the tasks of");
}

absl::Status SqliteDatabase::FindLeftOut(std::vector<TaskId>& ids) const {
  const auto select = connection_.Prepare(kSelectBare);
  if (!select.ok()) return select.status();
  int code;
  while ((code = connection_.Step(select->get())) == SQLITE_ROW) {
    ids.push_back(DecodeId(select->get(), 0));
  }
  std::sort(ids.begin(), ids.end());
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the tasks of");
}

absl::Status SqliteDatabase::LoadEnded(const StoreRetention& retention,
                                       absl::FunctionRef<void(const EndedRecord&)> each) const {
  const auto first = FindFirstKept(retention);
  if (!first.ok()) return first.status();
  const auto select = connection_.Prepare(kSelectBare);
  if (!select.ok()) return select.status();
  sqlite3_stmt* row = select->get();
  int code;
  while ((code = connection_.Step(row)) == SQLITE_ROW) {
    const EndedPosition end{sqlite3_column_int64(row, 1), DecodeId(row, 0)};
    if (IsBefore(end, *first)) continue;
    each({.id = end.id,
          .tenant = ColumnBytes(row, 2),
          .queue = ColumnBytes(row, 3),
          .function = ColumnBytes(row, 4),
          .state = sqlite3_column_int(row, 5),
          .end_time_us = end.end_time_us,
          .is_bare = true});
  }
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the tasks of");
}

absl::StatusOr<EndedPosition> SqliteDatabase::FindFirstKept(const StoreRetention& retention) const {
  const EndedPosition by_time{.end_time_us = retention.ended_before_us};
  const int64_t max = std::max<int64_t>(retention.ended_max, 0);
  if (max == 0) return EndedPosition{INT64_MAX, {~uint64_t{0}, ~uint64_t{0}}};
  const auto count = connection_.QueryNumber(kCountEnds);
  if (!count.ok()) return count.status();
  if (*count <= max) return by_time;
  const auto select = connection_.Prepare(kSelectEnds);
  if (!select.ok()) return select.status();
  std::vector<EndedPosition> ends;
  int code;
  while ((code = connection_.Step(select->get())) == SQLITE_ROW) {
    ends.push_back({sqlite3_column_int64(select->get(), 0), DecodeId(select->get(), 1)});
  }
  if (code != SQLITE_DONE) return connection_.Error("read the tasks of");
  if (static_cast<int64_t>(ends.size()) <= max) return by_time;
  std::nth_element(ends.begin(), ends.begin() + (max - 1), ends.end(),
                   [](const EndedPosition& a, const EndedPosition& b) { return IsBefore(b, a); });
  return IsBefore(ends[max - 1], by_time) ? by_time : ends[max - 1];
}

absl::Status SqliteDatabase::FindExpired(const EndedPosition& first,
                                         std::vector<TaskId>& expired) const {
  const auto select = connection_.Prepare(kSelectExpired);
  if (!select.ok()) return select.status();
  sqlite3_bind_int64(select->get(), 1, first.end_time_us);
  BindId(select->get(), 2, first.id);
  int code;
  while ((code = connection_.Step(select->get())) == SQLITE_ROW) {
    expired.push_back(DecodeId(select->get(), 0));
  }
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the tasks of");
}

absl::Status SqliteDatabase::Apply(absl::Span<const TaskChange> changes) {
  absl::Status status = connection_.Execute("BEGIN IMMEDIATE");
  for (size_t i = 0; i < changes.size() && status.ok(); ++i) status = ApplyOne(changes[i]);
  if (status.ok()) status = ended_.WriteCounts();
  if (status.ok()) status = connection_.Execute("COMMIT");
  if (!status.ok()) ended_.Forget();
  // Some errors have rolled back by themselves; then there is nothing left to roll back.
  if (!status.ok() && connection_.InTransaction()) connection_.Execute("ROLLBACK").IgnoreError();
  return status;
}

absl::Status SqliteDatabase::LoadQueues(absl::FunctionRef<void(StoredQueue)> each) const {
  const auto tables = connection_.QueryNumber(kCountQueueTables);
  if (!tables.ok() || *tables == 0) return tables.status();
  const auto select = connection_.Prepare(kSelectQueues);
  if (!select.ok()) return select.status();
  int code;
  while ((code = connection_.Step(select->get())) == SQLITE_ROW) {
    each({.tenant = ColumnBytes(select->get(), 0),
          .queue = ColumnBytes(select->get(), 1),
          .settings = ColumnBytes(select->get(), 2)});
  }
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the queues of");
}

// The table is made when it is first needed: a database of before is not changed at its opening.
absl::Status SqliteDatabase::ApplyToQueue(const TaskChange& change) const {
  if (absl::Status made = connection_.Execute(kCreateQueues); !made.ok()) return made;
  const bool keeps = !change.progress->task.empty();
  const auto statement = connection_.Prepare(keeps ? kReplaceQueue : kDeleteQueue);
  if (!statement.ok()) return statement.status();
  BindQueue(statement->get(), change);
  return connection_.Step(statement->get()) == SQLITE_DONE ? absl::OkStatus()
                                                           : connection_.Error("write");
}

absl::Status SqliteDatabase::ApplyOne(const TaskChange& change) {
  if (change.kind == StoreWrite::Kind::kQueue) return ApplyToQueue(change);
  const TaskId& id = change.write->task.id;
  if (change.kind != StoreWrite::Kind::kDelete) {
    const auto put = Put(change, /*former_kind=*/0);
    if (!put.ok() || *put) return put.status();
  }
  // Most tasks end once: of what is written, only that one has ended before is found out here.
  const auto kind = Unindex(id);
  if (!kind.ok() || !kind->has_value()) return kind.status();
  if (change.kind == StoreWrite::Kind::kUpdate) return Put(change, **kind).status();
  absl::Status deleted = Delete(id);
  if (!deleted.ok() || change.kind == StoreWrite::Kind::kDelete) return deleted;
  return Put(change, /*former_kind=*/0).status();
}

absl::StatusOr<bool> SqliteDatabase::Put(const TaskChange& change, int64_t former_kind) {
  const StoredTask& task = change.write->task;
  const StoredProgress& progress = *change.progress;
  int64_t kind = 0;
  if (progress.end_time_us != 0) {
    const auto found = ended_.KindOf({.tenant = task.tenant,
                                      .queue = task.queue,
                                      .function = task.function,
                                      .state = progress.end_state,
                                      .is_bare = progress.is_bare});
    if (!found.ok()) return found.status();
    kind = *found;
  }
  const bool is_insert = change.kind == StoreWrite::Kind::kInsert;
  sqlite3_stmt* statement = is_insert ? insert_.get() : update_.get();
  BindChange(statement, change);
  if (kind != 0) sqlite3_bind_int64(statement, kKindParameter, kind);
  if (former_kind != 0) sqlite3_bind_int64(statement, kFormerKindParameter, former_kind);
  const int code = connection_.Step(statement);
  absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("write");
  const bool changed = status.ok() && sqlite3_changes(connection_.get()) > 0;
  sqlite3_reset(statement);
  // The bound bytes are the caller's and end with this call.
  sqlite3_clear_bindings(statement);
  if (changed && kind != 0) status = ended_.Put(kind, {progress.end_time_us, task.id});
  if (!status.ok()) return status;
  return changed;
}

absl::StatusOr<std::optional<int64_t>> SqliteDatabase::Unindex(const TaskId& task) {
  BindId(select_kind_.get(), 1, task);
  const int code = connection_.Step(select_kind_.get());
  std::optional<int64_t> kind;
  if (code == SQLITE_ROW) kind = sqlite3_column_int64(select_kind_.get(), 0);
  absl::Status status =
      code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read");
  sqlite3_reset(select_kind_.get());
  if (status.ok() && kind.value_or(0) != 0) status = ended_.Remove(*kind, task);
  if (!status.ok()) return status;
  return kind;
}

absl::Status SqliteDatabase::Delete(const TaskId& task) {
  BindId(delete_.get(), 1, task);
  const int code = connection_.Step(delete_.get());
  absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("write");
  sqlite3_reset(delete_.get());
  return status;
}

absl::StatusOr<int64_t> SqliteDatabase::ReusableBytes() const {
  const auto pages = connection_.QueryNumber("PRAGMA freelist_count");
  if (!pages.ok()) return pages.status();
  return *pages * page_bytes_;
}

absl::Status SqliteDatabase::EmptyLog() const {
  return connection_.Checkpoint() == SQLITE_OK ? absl::OkStatus()
                                               : connection_.Error("write back the log of");
}

absl::Status SqliteDatabase::Shrink() const {
  absl::Status shrunk = connection_.Execute(kShrink);
  return absl::IsResourceExhausted(shrunk) ? connection_.Execute(kShrinkLittle) : shrunk;
}

void SqliteDatabase::RemoveLog() const {
  unlink((path() + "-wal").c_str());
  unlink((path() + "-shm").c_str());
}

absl::Status SqliteDatabase::Reopen() {
  Close();
  auto opened = ReopenTaskDatabase(options_);
  if (!opened.ok()) return opened.status();
  absl::Status used = Use(*std::move(opened));
  if (!used.ok()) Close();
  return used;
}

absl::Status SqliteDatabase::RestoreLog() {
  if (is_open()) {
    if (absl::Status written = EmptyLog(); !written.ok()) return written;
    Close();
  }
  // Another file under the log's name would be taken for this database's.
  RemoveLog();
  return Reopen();
}

absl::Status SqliteDatabase::CopyTo(const std::string& path) const {
  unlink(path.c_str());
  const auto copy = connection_.Prepare("VACUUM INTO ?1");
  if (!copy.ok()) return copy.status();
  sqlite3_bind_text(copy->get(), 1, path.c_str(), -1, SQLITE_TRANSIENT);
  absl::Status status =
      connection_.Step(copy->get()) == SQLITE_DONE ? absl::OkStatus() : connection_.Error("copy");
  if (status.ok()) status = FlushFile(path, O_RDWR);
  if (!status.ok()) unlink(path.c_str());
  return status;
}

absl::Status SqliteDatabase::RestoreFile() {
  const std::string copy = path() + ".new";
  if (is_open()) {
    if (absl::Status copied = CopyTo(copy); !copied.ok()) return copied;
    Close();
  }
  // The old log must be gone before the copy has the name: it would be replayed on top.
  RemoveLog();
  if (rename(copy.c_str(), path().c_str()) != 0) {
    return absl::UnavailableError(StrCat("rename ", copy, ": ", strerror(errno)));
  }
  const std::string folder = path().substr(0, path().rfind('/'));
  if (absl::Status flushed = FlushFile(folder, O_RDONLY | O_DIRECTORY); !flushed.ok()) {
    return flushed;
  }
  return Reopen();
}

}  // namespace grove::tasks
