#include "database/postgres/connection.h"

#include <libpq-fe.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "database/postgres/connection_use.h"
#include "database/postgres/sender.h"
#include "database/postgres/statement_cache.h"
#include "database/postgres/wire.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

void Notify(void* options, const PGresult* notice) {
  const auto& receiver = static_cast<const ConnectionOptions*>(options)->notice;
  if (receiver != nullptr) receiver(ReadSqlError(notice));
}
void DropNotice(void* /*nothing*/, const PGresult* /*notice*/) {}

bool IsCopy(ExecStatusType status) {
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

}  // namespace

Connection::Connection(const ConnectionOptions& options, std::unique_ptr<Wire> wire)
    : options_(options),
      wire_(std::move(wire)),
      statements_(std::make_unique<StatementCache>(options.statements_max)) {
  PQsetNoticeReceiver(wire_->conn(), Notify, const_cast<ConnectionOptions*>(&options_));
  ++wire_->services().stats.connections;
}

Connection::~Connection() {
  Close();
}

absl::StatusOr<Result> Connection::Query(std::string_view sql, Params params,
                                         const QueryOptions& options) {
  Use use(*this);
  if (!use.status().ok()) return use.status();
  ++wire_->services().stats.statements;
  const std::string text(sql);
  absl::StatusOr<Result> result = RunOnce(text, params, options);
  if (!result.ok() && IsStale(result.status()) && wire_ != nullptr) {
    statements_->Remove(sql, params);
    // Inside a transaction the failure has ended it: whoever runs that again will have it new.
    if (!in_transaction()) result = RunOnce(text, params, options);
  }
  return result;
}

absl::StatusOr<int64_t> Connection::Execute(std::string_view sql, Params params,
                                            const QueryOptions& options) {
  absl::StatusOr<Result> result = Query(sql, params, options);
  if (!result.ok()) return result.status();
  return result->rows_affected();
}

absl::StatusOr<Result> Connection::RunOnce(const std::string& sql, Params params,
                                           const QueryOptions& options) {
  const ParamArrays arrays(params);
  if (absl::Status valid = arrays.Validate(); !valid.ok()) return valid;
  if (sql.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the statement has a NUL inside");
  }
  PGconn* const conn = wire_->conn();
  int sent = 0;
  if (!options.prepare || !statements_->enabled()) {
    sent = PQsendQueryParams(conn, sql.c_str(), arrays.size(), arrays.types(), arrays.values(),
                             arrays.lengths(), arrays.formats(), options.binary ? 1 : 0);
  } else if (const std::string* name = statements_->Find(sql, params)) {
    sent = PQsendQueryPrepared(conn, name->c_str(), arrays.size(), arrays.values(),
                               arrays.lengths(), arrays.formats(), options.binary ? 1 : 0);
  } else {
    return PrepareAndRun(sql, params, arrays, options.binary);
  }
  if (sent == 0) return Broken(wire_->Error());
  wire_->ExpectAnswer();
  if (absl::Status flushed = wire_->Flush(); !flushed.ok()) return Broken(std::move(flushed));
  return Collect();
}

absl::StatusOr<Result> Connection::PrepareAndRun(const std::string& sql, Params params,
                                                 const ParamArrays& arrays, bool binary) {
  PGconn* const conn = wire_->conn();
  const std::string name = statements_->NewName();
  const size_t before = statements_->size();
  if (PQenterPipelineMode(conn) == 0 ||
      !SendPrepareAndRun(conn, *statements_, name, sql, arrays, binary) ||
      PQpipelineSync(conn) == 0) {
    return Broken(wire_->Error());
  }
  const int ended = statements_->size() < before ? 1 : 0;
  wire_->ExpectAnswer();
  if (absl::Status flushed = wire_->Flush(); !flushed.ok()) return Broken(std::move(flushed));
  int succeeded = 0;
  absl::StatusOr<Result> result = CollectBatch(ended + 2, succeeded);
  if (wire_ == nullptr) return result;
  if (PQexitPipelineMode(conn) == 0) return Broken(wire_->Error());
  // A statement stays prepared though it failed when it was run.
  if (succeeded > ended) {
    statements_->Add(sql, params, name);
    ++wire_->services().stats.prepared;
  }
  return result;
}

absl::StatusOr<Result> Connection::CollectBatch(int statements, int& succeeded) {
  ResultPtr last;
  absl::Status failed;
  for (;;) {
    absl::StatusOr<ResultPtr> next = wire_->NextResult(options_.result_bytes_max);
    // What the server said before it hung up tells more.
    if (!next.ok()) return Broken(failed.ok() ? next.status() : failed);
    if (*next == nullptr) {
      if (PQstatus(wire_->conn()) == CONNECTION_BAD) return Broken(wire_->Error());
      continue;
    }
    const ExecStatusType status = PQresultStatus(next->get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (IsCopy(status)) return Broken(absl::InvalidArgumentError("COPY is no query"));
    absl::Status told = ResultStatus(next->get());
    if (told.ok()) ++succeeded;
    if (failed.ok()) failed = std::move(told);
    last = *std::move(next);
  }
  if (!failed.ok()) return Told(std::move(failed));
  if (succeeded != statements) return Broken(absl::InternalError("libpq left out an answer"));
  if (PQresultMemorySize(last.get()) > options_.result_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the result is larger than %d bytes", options_.result_bytes_max));
  }
  return Result(last.release());
}

absl::StatusOr<Result> Connection::Collect() {
  ResultPtr last;
  absl::Status failed;
  for (;;) {
    absl::StatusOr<ResultPtr> next = wire_->NextResult(options_.result_bytes_max);
    // What the server said before it hung up tells more.
    if (!next.ok()) return Broken(failed.ok() ? next.status() : failed);
    if (*next == nullptr) break;
    if (IsCopy(PQresultStatus(next->get()))) {
      return Broken(absl::InvalidArgumentError("COPY is no query: StartCopyIn(), StartCopyOut()"));
    }
    if (failed.ok()) failed = ResultStatus(next->get());
    last = *std::move(next);
  }
  if (!failed.ok()) return Told(std::move(failed));
  if (last == nullptr) return Broken(absl::InternalError("libpq gave no result"));
  if (PQresultMemorySize(last.get()) > options_.result_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the result is larger than %d bytes", options_.result_bytes_max));
  }
  return Result(last.release());
}

absl::Status Connection::ExecuteScript(std::string_view sql) {
  Use use(*this);
  if (!use.status().ok()) return use.status();
  ++wire_->services().stats.statements;
  return Command(std::string(sql));
}

absl::Status Connection::Command(const std::string& sql) {
  if (PQsendQuery(wire_->conn(), sql.c_str()) == 0) return Broken(wire_->Error());
  wire_->ExpectAnswer();
  if (absl::Status flushed = wire_->Flush(); !flushed.ok()) return Broken(std::move(flushed));
  return Collect().status();
}

absl::Status Connection::StartCopy(const std::string& sql, int wanted) {
  ++wire_->services().stats.statements;
  if (PQsendQuery(wire_->conn(), sql.c_str()) == 0) return Broken(wire_->Error());
  wire_->ExpectAnswer();
  if (absl::Status flushed = wire_->Flush(); !flushed.ok()) return Broken(std::move(flushed));
  absl::StatusOr<ResultPtr> first = wire_->NextResult();
  if (!first.ok()) return Broken(first.status());
  const ExecStatusType status = PQresultStatus(first->get());
  if (status == static_cast<ExecStatusType>(wanted)) return absl::OkStatus();
  if (IsCopy(status)) return Broken(absl::InvalidArgumentError("COPY in the other direction"));
  absl::Status failed = ResultStatus(first->get());
  if (absl::StatusOr<ResultPtr> end = wire_->NextResult(); !end.ok() || *end != nullptr) {
    return Broken(end.ok() ? absl::InternalError("libpq gave one result too many") : end.status());
  }
  if (!failed.ok()) return Told(std::move(failed));
  return absl::InvalidArgumentError("the statement is no COPY from STDIN or to STDOUT");
}

absl::Status Connection::Ping() {
  Use use(*this);
  if (!use.status().ok()) return use.status();
  return Command("");
}

bool Connection::Clean() {
  Use use(*this);
  if (!use.status().ok()) return false;
  mark_.reset();
  if (PQtransactionStatus(wire_->conn()) == PQTRANS_IDLE) return true;
  return Command("ROLLBACK").ok() && open() && !in_transaction();
}

void Connection::Close() {
  mark_.reset();
  if (wire_ == nullptr) return;
  --wire_->services().stats.connections;
  wire_.reset();
}

bool Connection::LooksAlive() {
  if (wire_ == nullptr) return false;
  if (!wire_->MayHaveInput()) return true;
  return wire_->Consume().ok() && PQstatus(wire_->conn()) == CONNECTION_OK;
}

void Connection::Abandon() {
  mark_.reset();
  if (wire_ == nullptr) return;
  --wire_->services().stats.connections;
  PQsetNoticeReceiver(wire_->conn(), DropNotice, nullptr);
  Wire::Abandon(std::move(wire_));
}

absl::Status Connection::Broken(absl::Status status) {
  Abandon();
  return status;
}

absl::Status Connection::Told(absl::Status status) {
  ++wire_->services().stats.failures;
  if (PQstatus(wire_->conn()) == CONNECTION_BAD) Close();
  return status;
}

bool Connection::open() const {
  return wire_ != nullptr;
}

bool Connection::in_transaction() const {
  if (wire_ == nullptr) return false;
  const PGTransactionStatusType status = PQtransactionStatus(wire_->conn());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

int Connection::backend_pid() const {
  return wire_ == nullptr ? 0 : PQbackendPID(wire_->conn());
}

bool Connection::uses_tls() const {
  return wire_ != nullptr && PQsslInUse(wire_->conn()) != 0;
}

std::string_view Connection::parameter(const std::string& name) const {
  const char* const value =
      wire_ == nullptr ? nullptr : PQparameterStatus(wire_->conn(), name.c_str());
  return value == nullptr ? std::string_view() : value;
}

size_t Connection::prepared_statements() const {
  return statements_->size();
}

std::string Connection::QuoteIdentifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char byte : name) {
    if (byte == '"') quoted += '"';
    quoted += byte;
  }
  quoted += '"';
  return quoted;
}

}  // namespace grove::postgres
