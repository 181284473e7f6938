#include "database/postgres/row_stream.h"

#include "database/postgres/connection_use.h"
#include "database/postgres/sender.h"

namespace grove::postgres {

absl::StatusOr<RowStream> Connection::Stream(std::string_view sql, Params params,
                                             const QueryOptions& options) {
  Use use(*this);
  if (!use.status().ok()) return use.status();
  ++wire_->services().stats.statements;
  const ParamArrays arrays(params);
  if (absl::Status valid = arrays.Validate(); !valid.ok()) return valid;
  const std::string text(sql);
  if (PQsendQueryParams(wire_->conn(), text.c_str(), arrays.size(), arrays.types(), arrays.values(),
                        arrays.lengths(), arrays.formats(), options.binary ? 1 : 0) == 0 ||
      PQsetSingleRowMode(wire_->conn()) == 0) {
    return Broken(wire_->Error());
  }
  wire_->ExpectAnswer();
  if (absl::Status flushed = wire_->Flush(); !flushed.ok()) return Broken(std::move(flushed));
  use.Keep();
  return RowStream(*this);
}

RowStream::~RowStream() {
  if (connection_ == nullptr) return;
  connection_->Abandon();
  Release();
}

void RowStream::Release() {
  connection_->in_use_ = false;
  connection_ = nullptr;
}

absl::StatusOr<bool> RowStream::Next() {
  if (connection_ == nullptr) return false;
  const guard::TransactionGuard::Mark::OwnWait own_wait(connection_->mark_.get());
  for (;;) {
    absl::StatusOr<ResultPtr> next =
        connection_->wire_->NextResult(connection_->options_.result_bytes_max);
    absl::Status failed;
    if (!next.ok()) {
      failed = connection_->Broken(next.status());
    } else if (*next == nullptr) {
      Release();
      return false;
    } else if (PQresultStatus(next->get()) == PGRES_SINGLE_TUPLE) {
      current_ = Result(next->release());
      return true;
    } else if (failed = ResultStatus(next->get()); !failed.ok()) {
      // The end of the statement follows at once.
      absl::StatusOr<ResultPtr> end = connection_->wire_->NextResult();
      failed = end.ok() && *end == nullptr ? connection_->Told(std::move(failed))
                                           : connection_->Broken(std::move(failed));
    }
    if (failed.ok()) continue;  // the statement's own end, without a row
    Release();
    return failed;
  }
}

absl::Status RowStream::Finish() {
  if (connection_ == nullptr) return absl::OkStatus();
  const guard::TransactionGuard::Mark::OwnWait own_wait(connection_->mark_.get());
  if (absl::Status asked = connection_->wire_->Cancel(); !asked.ok()) {
    connection_->Abandon();
    Release();
    return asked;
  }
  for (;;) {
    absl::StatusOr<bool> more = Next();
    if (more.ok() && *more) continue;
    // That it was cancelled is what was asked for.
    if (more.ok() || SqlStateOf(more.status()) == kQueryCanceled) return absl::OkStatus();
    return more.status();
  }
}

}  // namespace grove::postgres
