#include "database/sqlite/session.h"

#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "database/sqlite/result_code.h"
#include "runtime/switch/abseil_text.h"

namespace grove::sqlite {
namespace {

// Instructions of SQLite's machine, some microseconds, between two looks at whether to stop.
constexpr int kProgressInstructions = 1000;
// A lock is asked for after 1, 2, 4 … ms, and no less often than this.
constexpr int64_t kBusyPauseMaxMs = 50;

int Bounded(size_t bytes) {
  return static_cast<int>(std::min<size_t>(bytes, std::numeric_limits<int>::max()));
}

Cell CellOf(sqlite3_stmt* statement, int column) {
  const auto bytes = [&](const void* data) {
    const int length = sqlite3_column_bytes(statement, column);
    return length == 0 ? std::string() : std::string(static_cast<const char*>(data), length);
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement, column);
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT:
      return bytes(sqlite3_column_text(statement, column));
    case SQLITE_BLOB:
      return Blob{bytes(sqlite3_column_blob(statement, column))};
    default:
      return nullptr;
  }
}

// What is bound is copied by SQLite: the caller's may go while the statement is kept.
struct Binding {
  sqlite3_stmt* statement;
  int number;
  int operator()(std::monostate) const { return sqlite3_bind_null(statement, number); }
  int operator()(int64_t value) const { return sqlite3_bind_int64(statement, number, value); }
  int operator()(double value) const { return sqlite3_bind_double(statement, number, value); }
  int operator()(const std::string& text) const {
    return sqlite3_bind_text64(statement, number, text.data(), text.size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8);
  }
  int operator()(const Blob& blob) const {
    return sqlite3_bind_blob64(statement, number, blob.bytes.data(), blob.bytes.size(),
                               SQLITE_TRANSIENT);
  }
};

}  // namespace

// --- Life

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const SessionOptions& options,
                                                       std::shared_ptr<SessionCounts> counts) {
  std::unique_ptr<Session> session(new Session(options, std::move(counts)));
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (options.create ? SQLITE_OPEN_CREATE : 0);
  const int opened = sqlite3_open_v2(options.path.c_str(), &session->database_, flags, nullptr);
  if (opened != SQLITE_OK) {
    return ResultStatus(opened, StrCat("open ", options.path, ": ", sqlite3_errstr(opened)));
  }
  if (absl::Status prepared = session->Prepare(); !prepared.ok()) {
    absl::Status status(prepared.code(),
                        StrCat("open ", options.path, ": ", Std(prepared.message())));
    prepared.ForEachPayload(
        [&](auto url, const absl::Cord& payload) { status.SetPayload(url, payload); });
    return status;
  }
  return session;
}

absl::Status Session::Prepare() {
  sqlite3_busy_handler(database_, &Session::OnBusy, this);
  sqlite3_progress_handler(database_, kProgressInstructions, &Session::OnProgress, this);
  sqlite3_commit_hook(database_, &Session::OnCommit, this);
  sqlite3_limit(database_, SQLITE_LIMIT_LENGTH, Bounded(options_.value_bytes_max));
  // A database that others wrote may hold functions in its schema that do harm.
  sqlite3_db_config(database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  std::string pragmas = "PRAGMA foreign_keys=ON;";
  if (options_.read_only) {
    pragmas += "PRAGMA query_only=ON;";
  } else {
    StrAppend(&pragmas, "PRAGMA journal_mode=WAL;PRAGMA synchronous=",
              options_.full_sync ? "FULL;" : "NORMAL;");
  }
  // Reads the file's head, too.
  pragmas += "SELECT count(*) FROM sqlite_schema;";
  return RunScript(pragmas);
}

Session::~Session() {
  for (const Kept& kept : kept_) sqlite3_finalize(kept.statement);
  sqlite3_close_v2(database_);
}

// --- Stopping and waiting

void Session::Stop() {
  stop_ = true;
  sqlite3_interrupt(database_);  // for what sorts, or waits in no instruction
}

int Session::OnProgress(void* self) {
  return static_cast<Session*>(self)->stop_ ? 1 : 0;
}

int Session::OnCommit(void* self) {
  return static_cast<Session*>(self)->may_commit_ ? 0 : 1;
}

int Session::OnBusy(void* self, int tries) {
  auto& session = *static_cast<Session*>(self);
  if (tries == 0) session.busy_ms_ = 0;
  const int64_t left = absl::ToInt64Milliseconds(session.options_.busy_timeout) - session.busy_ms_;
  if (left <= 0 || session.stop_) return 0;
  const int64_t pause = std::min({int64_t{1} << std::min(tries, 10), kBusyPauseMaxMs, left});
  ++session.counts_->busy_waits;
  session.busy_ms_ += pause;
  sqlite3_sleep(static_cast<int>(pause));
  return 1;
}

absl::Status Session::Error(int code) {
  const bool busy = (code & 0xff) == SQLITE_BUSY;
  if ((code & 0xff) == SQLITE_INTERRUPT || (busy && stop_)) {
    ++counts_->interrupted;
    return absl::CancelledError("sqlite: its fiber has been cancelled or timed out");
  }
  return ResultStatus(code, sqlite3_errmsg(database_));
}

bool Session::InTransaction() const {
  return sqlite3_get_autocommit(database_) == 0;
}

// --- Statements

absl::StatusOr<sqlite3_stmt*> Session::Statement(std::string_view sql) {
  const auto kept =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& each) { return each.sql == sql; });
  if (kept != kept_.end()) {
    sqlite3_stmt* statement = kept->statement;
    if (sqlite3_stmt_busy(statement) == 0) {
      kept_.splice(kept_.begin(), kept_, kept);
      ++counts_->reused;
      return statement;
    }
  }
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int prepared = sqlite3_prepare_v3(database_, sql.data(), Bounded(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &statement, &rest);
  if (prepared != SQLITE_OK) return Error(prepared);
  const std::string_view more = sql.substr(rest - sql.data());
  if (statement == nullptr || more.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(statement);
    return absl::InvalidArgumentError(statement == nullptr
                                          ? "sqlite: the text holds no statement"
                                          : "sqlite: more than one statement; use RunScript()");
  }
  ++counts_->prepared;
  if (kept == kept_.end()) kept_.push_front({std::string(sql), statement});
  return statement;
}

void Session::PutBack(sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  const bool kept = std::any_of(kept_.begin(), kept_.end(),
                                [&](const Kept& each) { return each.statement == statement; });
  if (!kept) sqlite3_finalize(statement);
  while (kept_.size() > options_.statements_max && sqlite3_stmt_busy(kept_.back().statement) == 0) {
    sqlite3_finalize(kept_.back().statement);
    kept_.pop_back();
  }
}

absl::Status Session::Bind(sqlite3_stmt* statement, const Row& parameters) {
  const int wanted = sqlite3_bind_parameter_count(statement);
  if (static_cast<size_t>(wanted) != parameters.size()) {
    return absl::InvalidArgumentError(
        StrCat("sqlite: the statement has ", wanted, " parameters, given are ", parameters.size()));
  }
  for (int number = 1; number <= wanted; ++number) {
    const int bound = std::visit(Binding{statement, number}, parameters[number - 1].value());
    if (bound != SQLITE_OK) return Error(bound);
  }
  return absl::OkStatus();
}

absl::StatusOr<Session::Run> Session::Begin(std::string_view sql, const Row& parameters) {
  if (stop_) return Error(SQLITE_INTERRUPT);
  absl::StatusOr<sqlite3_stmt*> statement = Statement(sql);
  if (!statement.ok()) return statement.status();
  Run run(*this, *statement);
  if (absl::Status bound = Bind(*statement, parameters); !bound.ok()) return bound;
  return run;
}

Session::Run::Run(Run&& other) noexcept
    : session_(other.session_), statement_(std::exchange(other.statement_, nullptr)) {}

Session::Run::~Run() {
  if (statement_ != nullptr) session_->PutBack(statement_);
}

std::vector<std::string> Session::Run::Columns() const {
  std::vector<std::string> names;
  const int columns = sqlite3_column_count(statement_);
  names.reserve(columns);
  for (int i = 0; i < columns; ++i) {
    names.emplace_back(sqlite3_column_name(statement_, i));
  }
  return names;
}

absl::StatusOr<bool> Session::Run::Step(Row& row) {
  row.clear();
  const int stepped = sqlite3_step(statement_);
  if (stepped == SQLITE_DONE) return false;
  if (stepped != SQLITE_ROW) return session_->Error(stepped);
  const int columns = sqlite3_column_count(statement_);
  row.reserve(columns);
  for (int i = 0; i < columns; ++i) row.push_back(CellOf(statement_, i));
  ++session_->counts_->rows;
  return true;
}

absl::StatusOr<Changes> Session::Execute(std::string_view sql, const Row& parameters) {
  const int64_t before = sqlite3_total_changes64(database_);
  absl::Status done = ForEach(sql, parameters, [](Row&) { return absl::OkStatus(); });
  if (!done.ok()) return done;
  return Changes{.rows = sqlite3_total_changes64(database_) - before,
                 .last_insert_rowid = sqlite3_last_insert_rowid(database_)};
}

absl::Status Session::ForEach(std::string_view sql, const Row& parameters,
                              absl::FunctionRef<absl::Status(Row& row)> each) {
  absl::StatusOr<Run> run = Begin(sql, parameters);
  if (!run.ok()) return run.status();
  Row row;
  for (;;) {
    absl::StatusOr<bool> more = run->Step(row);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    if (absl::Status taken = each(row); !taken.ok()) return taken;
  }
}

absl::StatusOr<Rows> Session::Query(std::string_view sql, const Row& parameters) {
  absl::StatusOr<Run> run = Begin(sql, parameters);
  if (!run.ok()) return run.status();
  Rows rows{.columns = run->Columns(), .rows = {}};
  size_t bytes = 0;
  for (Row row;;) {
    absl::StatusOr<bool> more = run->Step(row);
    if (!more.ok()) return more.status();
    if (!*more) return rows;
    for (const Cell& cell : row) bytes += cell.bytes();
    if (bytes > options_.rows_bytes_max) {
      return absl::ResourceExhaustedError(StrCat("sqlite: the rows have more than ",
                                                 options_.rows_bytes_max,
                                                 " bytes; stream them, or ask for fewer"));
    }
    rows.rows.push_back(std::move(row));
  }
}

absl::Status Session::RunScript(const std::string& sql) {
  const int ran = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  return ran == SQLITE_OK ? absl::OkStatus() : Error(ran);
}

}  // namespace grove::sqlite
