#include "database/mariadb/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "database/mariadb/server_error.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove::mariadb {
namespace {

// What is fetched without knowing its length: most numbers, names and times. The rest is fetched
// once it is known.
constexpr unsigned long kGuessBytes = 64;

// Points into the parameter, which outlives the call.
struct Binding {
  MYSQL_BIND& bind;
  void operator()(std::monostate) const { bind.buffer_type = MYSQL_TYPE_NULL; }
  void operator()(const int64_t& number) const { Number(MYSQL_TYPE_LONGLONG, &number); }
  void operator()(const uint64_t& number) const {
    Number(MYSQL_TYPE_LONGLONG, &number);
    bind.is_unsigned = 1;
  }
  void operator()(const double& number) const { Number(MYSQL_TYPE_DOUBLE, &number); }
  void operator()(const std::string& bytes) const {
    bind.buffer_type = MYSQL_TYPE_STRING;
    bind.buffer = const_cast<char*>(bytes.data());
    bind.buffer_length = bytes.size();
    bind.length_value = bytes.size();
    bind.length = &bind.length_value;
  }
  void Number(enum_field_types type, const void* number) const {
    bind.buffer_type = type;
    bind.buffer = const_cast<void*>(number);
  }
};

}  // namespace

Connection::Connection(std::unique_ptr<Wire> wire, std::shared_ptr<Dialer> dialer,
                       const ConnectionLimits& limits, std::shared_ptr<ConnectionStats> stats)
    : wire_(std::move(wire)),
      dialer_(std::move(dialer)),
      limits_(limits),
      stats_(std::move(stats)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  std::swap(wire_, other.wire_);
  std::swap(dialer_, other.dialer_);
  std::swap(limits_, other.limits_);
  std::swap(stats_, other.stats_);
  std::swap(kept_, other.kept_);
  std::swap(reset_after_use_, other.reset_after_use_);
  return *this;
}

Connection::~Connection() {
  if (wire_ == nullptr) return;
  const std::list<Kept> kept = std::move(kept_);
  wire_.reset();  // closes it, and with it all its statements: none says so one by one
  for (const Kept& each : kept) mysql_stmt_close(each.statement);
}

// A call that its fiber left before the end goes on at the server until it is told.
absl::Status Connection::Drive(absl::FunctionRef<int()> start, absl::FunctionRef<int(int)> cont) {
  const bool was_broken = broken();
  absl::Status driven = wire_->Drive(start, cont);
  if (!driven.ok() && !was_broken && Hub::Current()->interruption() != Wake::kReady) {
    ++stats_->interrupted;
    dialer_->KillQuery(wire_->id());
  }
  return driven;
}

// --- Statements

absl::StatusOr<MYSQL_STMT*> Connection::Prepare(std::string_view sql) {
  const auto kept =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& each) { return each.sql == sql; });
  if (kept != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, kept);
    return kept->statement;
  }
  while (kept_.size() >= limits_.statements_max && !kept_.empty()) {
    MYSQL_STMT* const oldest = kept_.back().statement;
    kept_.pop_back();
    my_bool failed = 0;
    const absl::Status closed =
        Drive([&] { return mysql_stmt_close_start(&failed, oldest); },
              [&](int ready) { return mysql_stmt_close_cont(&failed, oldest, ready); });
    if (!closed.ok()) return closed;
  }
  MYSQL_STMT* const statement = mysql_stmt_init(wire_->get());
  if (statement == nullptr) return absl::ResourceExhaustedError("mariadb: no memory");
  kept_.push_front({std::string(sql), statement});
  int failed = 0;
  absl::Status prepared =
      Drive([&] { return mysql_stmt_prepare_start(&failed, statement, sql.data(), sql.size()); },
            [&](int ready) { return mysql_stmt_prepare_cont(&failed, statement, ready); });
  if (prepared.ok() && failed == 0) {
    ++stats_->prepared;
    return statement;
  }
  if (prepared.ok()) prepared = wire_->Error(statement);
  kept_.pop_front();
  mysql_stmt_close(statement);  // the server has none, so that nothing is sent
  return prepared;
}

absl::StatusOr<MYSQL_STMT*> Connection::Start(std::string_view sql, const Parameters& parameters) {
  if (broken()) return absl::UnavailableError("mariadb: the connection is broken");
  absl::StatusOr<MYSQL_STMT*> prepared = Prepare(sql);
  if (!prepared.ok()) return prepared;
  MYSQL_STMT* const statement = *prepared;
  const size_t wanted = mysql_stmt_param_count(statement);
  if (wanted != parameters.size()) {
    return absl::InvalidArgumentError(StrCat("mariadb: the statement has ", wanted,
                                             " parameters, given are ", parameters.size()));
  }
  std::vector<MYSQL_BIND> binds(wanted);
  for (size_t i = 0; i < wanted; ++i) std::visit(Binding{binds[i]}, parameters[i].value());
  if (wanted > 0 && mysql_stmt_bind_param(statement, binds.data()) != 0) {
    return wire_->Error(statement);
  }
  ++stats_->statements;
  int failed = 0;
  const absl::Status ran =
      Drive([&] { return mysql_stmt_execute_start(&failed, statement); },
            [&](int ready) { return mysql_stmt_execute_cont(&failed, statement, ready); });
  if (!ran.ok()) return ran;
  if (failed != 0) return wire_->Error(statement);
  return statement;
}

absl::StatusOr<bool> Connection::Fetch(MYSQL_STMT* statement, Row& row) {
  row.clear();
  const size_t columns = mysql_stmt_field_count(statement);
  std::vector<MYSQL_BIND> binds(columns);
  std::vector<std::string> guesses(columns, std::string(kGuessBytes, '\0'));
  for (size_t i = 0; i < columns; ++i) {
    binds[i].buffer_type = MYSQL_TYPE_STRING;
    binds[i].buffer = guesses[i].data();
    binds[i].buffer_length = kGuessBytes;
    binds[i].length = &binds[i].length_value;
    binds[i].is_null = &binds[i].is_null_value;
    binds[i].error = &binds[i].error_value;
  }
  if (mysql_stmt_bind_result(statement, binds.data()) != 0) return wire_->Error(statement);
  int fetched = 0;
  const absl::Status driven =
      Drive([&] { return mysql_stmt_fetch_start(&fetched, statement); },
            [&](int ready) { return mysql_stmt_fetch_cont(&fetched, statement, ready); });
  if (!driven.ok()) return driven;
  if (fetched == MYSQL_NO_DATA) return false;
  if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED) return wire_->Error(statement);
  for (size_t i = 0; i < columns; ++i) {
    if (binds[i].is_null_value != 0) {
      row.emplace_back();
      continue;
    }
    const unsigned long length = binds[i].length_value;
    guesses[i].resize(length);
    if (length > kGuessBytes) {
      MYSQL_BIND whole{};
      unsigned long copied = 0;
      whole.buffer_type = MYSQL_TYPE_STRING;
      whole.buffer = guesses[i].data();
      whole.buffer_length = length;
      whole.length = &copied;
      if (mysql_stmt_fetch_column(statement, &whole, i, 0) != 0) return wire_->Error(statement);
    }
    row.emplace_back(std::move(guesses[i]));
  }
  ++stats_->rows;
  return true;
}

// Requires: all its rows are read.
absl::Status Connection::Finish(MYSQL_STMT* statement) {
  my_bool failed = 0;
  absl::Status freed =
      Drive([&] { return mysql_stmt_free_result_start(&failed, statement); },
            [&](int ready) { return mysql_stmt_free_result_cont(&failed, statement, ready); });
  if (!freed.ok()) return freed;
  if (failed != 0) return wire_->Error(statement);
  // A procedure's rows are followed by a result of its own, which nobody has asked for.
  while (mysql_stmt_more_results(statement)) {
    int next = 0;
    absl::Status more =
        Drive([&] { return mysql_stmt_next_result_start(&next, statement); },
              [&](int ready) { return mysql_stmt_next_result_cont(&next, statement, ready); });
    if (!more.ok()) return more;
    if (next > 0) return wire_->Error(statement);
    more = Drive([&] { return mysql_stmt_free_result_start(&failed, statement); },
                 [&](int ready) { return mysql_stmt_free_result_cont(&failed, statement, ready); });
    if (!more.ok()) return more;
  }
  return absl::OkStatus();
}

absl::StatusOr<Connection::Stream> Connection::Select(std::string_view sql,
                                                      const Parameters& parameters) {
  absl::StatusOr<MYSQL_STMT*> statement = Start(sql, parameters);
  if (!statement.ok()) return statement.status();
  Stream stream(*this);
  if (mysql_stmt_field_count(*statement) == 0) return stream;
  stream.statement_ = *statement;
  MYSQL_RES* const metadata = mysql_stmt_result_metadata(*statement);
  if (metadata == nullptr) return wire_->Error(*statement);
  for (unsigned i = 0; i < mysql_num_fields(metadata); ++i) {
    stream.columns_.emplace_back(mysql_fetch_field_direct(metadata, i)->name);
  }
  mysql_free_result(metadata);
  return stream;
}

Connection::Stream::Stream(Stream&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      columns_(std::move(other.columns_)) {}

Connection::Stream::~Stream() {
  // To read the rest might take for ever.
  if (statement_ != nullptr && connection_->wire_ != nullptr) connection_->wire_->Break();
}

absl::StatusOr<std::vector<Row>> Connection::Stream::Next(size_t rows_max) {
  std::vector<Row> rows;
  if (statement_ == nullptr) return rows;
  size_t bytes = 0;
  while (rows.size() < rows_max && bytes < connection_->limits_.rows_bytes_max) {
    Row row;
    absl::StatusOr<bool> more = connection_->Fetch(statement_, row);
    if (!more.ok()) {
      connection_->wire_->Break();
      statement_ = nullptr;
      return more.status();
    }
    if (!*more) {
      const absl::Status finished = connection_->Finish(std::exchange(statement_, nullptr));
      if (!finished.ok()) return finished;
      break;
    }
    for (const Value& value : row) bytes += value.bytes();
    rows.push_back(std::move(row));
  }
  return rows;
}

absl::StatusOr<Rows> Connection::Query(std::string_view sql, const Parameters& parameters) {
  absl::StatusOr<Stream> stream = Select(sql, parameters);
  if (!stream.ok()) return stream.status();
  Rows all{.columns = stream->columns(), .rows = {}};
  for (size_t bytes = 0;;) {
    absl::StatusOr<std::vector<Row>> rows = stream->Next();
    if (!rows.ok()) return rows.status();
    if (rows->empty()) return all;
    for (Row& row : *rows) {
      for (const Value& value : row) bytes += value.bytes();
      all.rows.push_back(std::move(row));
    }
    if (bytes > limits_.rows_bytes_max) {
      return absl::ResourceExhaustedError(StrCat("mariadb: the rows have more than ",
                                                 limits_.rows_bytes_max,
                                                 " bytes; stream them, or ask for fewer"));
    }
  }
}

absl::StatusOr<Changes> Connection::Execute(std::string_view sql, const Parameters& parameters) {
  absl::StatusOr<MYSQL_STMT*> statement = Start(sql, parameters);
  if (!statement.ok()) return statement.status();
  Changes changes;
  if (mysql_stmt_field_count(*statement) == 0) {
    changes = {.rows = mysql_stmt_affected_rows(*statement),
               .last_insert_id = mysql_stmt_insert_id(*statement),
               .warnings = static_cast<unsigned>(mysql_stmt_warning_count(*statement))};
  } else {
    Row row;
    for (;;) {
      absl::StatusOr<bool> more = Fetch(*statement, row);
      if (!more.ok()) wire_->Break();  // nobody knows where the next result begins
      if (!more.ok()) return more.status();
      if (!*more) break;
    }
  }
  if (absl::Status finished = Finish(*statement); !finished.ok()) return finished;
  return changes;
}

// --- Transactions

absl::Status Connection::Begin() {
  return broken() ? absl::UnavailableError("mariadb: the connection is broken")
                  : wire_->Run("START TRANSACTION");
}

absl::Status Connection::Commit() {
  return broken() ? absl::UnavailableError("mariadb: the connection broke before the commit")
                  : wire_->Run("COMMIT");
}

absl::Status Connection::Rollback() {
  return broken() ? absl::OkStatus() : wire_->Run("ROLLBACK");  // the server has done it
}

bool Connection::Idle() const {
  if (broken()) return false;
  char byte;
  const ssize_t got = recv(mysql_get_socket(wire_->get()), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN;
  // Over TLS it may be a ticket that the library has not read; else it can only be a farewell.
  return got > 0 && mysql_get_ssl_cipher(wire_->get()) != nullptr;
}

bool Connection::Clean() {
  if (broken()) return false;
  if (std::exchange(reset_after_use_, false)) return Reset().ok();
  return !InTransaction() || Rollback().ok();
}

bool Connection::InTransaction() const {
  return !broken() && (wire_->get()->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

absl::Status Connection::Reset() {
  if (broken()) return absl::UnavailableError("mariadb: the connection is broken");
  int failed = 0;
  absl::Status reset =
      Drive([&] { return mysql_reset_connection_start(&failed, wire_->get()); },
            [&](int ready) { return mysql_reset_connection_cont(&failed, wire_->get(), ready); });
  if (!reset.ok()) return reset;
  if (failed != 0) return wire_->Error();
  Forget();
  return absl::OkStatus();
}

// The server has forgotten them already.
void Connection::Forget() {
  for (const Kept& kept : std::exchange(kept_, {})) mysql_stmt_close(kept.statement);
}

}  // namespace grove::mariadb
