#include "database/postgres/copy.h"

#include <algorithm>

#include "database/postgres/connection_use.h"
#include "database/postgres/wire.h"

namespace grove::postgres {

using OwnWait = guard::TransactionGuard::Mark::OwnWait;

absl::StatusOr<CopyIn> Connection::StartCopyIn(std::string_view sql) {
  Use use(*this);
  if (!use.status().ok()) return use.status();
  if (absl::Status started = StartCopy(std::string(sql), PGRES_COPY_IN); !started.ok()) {
    return started;
  }
  use.Keep();
  return CopyIn(*this);
}

absl::StatusOr<CopyOut> Connection::StartCopyOut(std::string_view sql) {
  Use use(*this);
  if (!use.status().ok()) return use.status();
  if (absl::Status started = StartCopy(std::string(sql), PGRES_COPY_OUT); !started.ok()) {
    return started;
  }
  use.Keep();
  return CopyOut(*this);
}

CopyIn::~CopyIn() {
  if (connection_ != nullptr) (void)Fail(absl::OkStatus());
}

void CopyIn::Release() {
  connection_->in_use_ = false;
  connection_ = nullptr;
}

absl::Status CopyIn::Fail(absl::Status status) {
  connection_->Abandon();
  Release();
  return status;
}

absl::Status CopyIn::Write(std::string_view bytes) {
  if (connection_ == nullptr) return absl::FailedPreconditionError("the COPY has ended");
  const OwnWait own_wait(connection_->mark_.get());
  Wire& wire = *connection_->wire_;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kFlushBytes);
    bytes.remove_prefix(piece.size());
    if (PQputCopyData(wire.conn(), piece.data(), static_cast<int>(piece.size())) != 1) {
      return Fail(wire.Error());
    }
    unsent_ += piece.size();
    if (unsent_ < kFlushBytes) continue;
    unsent_ = 0;
    if (absl::Status flushed = wire.Flush(); !flushed.ok()) return Fail(std::move(flushed));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> CopyIn::End(const char* reason) {
  if (connection_ == nullptr) return absl::FailedPreconditionError("the COPY has ended");
  const OwnWait own_wait(connection_->mark_.get());
  Wire& wire = *connection_->wire_;
  if (PQputCopyEnd(wire.conn(), reason) != 1) return Fail(wire.Error());
  if (absl::Status flushed = wire.Flush(); !flushed.ok()) return Fail(std::move(flushed));
  absl::StatusOr<Result> result = connection_->Collect();
  Release();
  if (!result.ok()) return result.status();
  return result->rows_affected();
}

absl::StatusOr<int64_t> CopyIn::Finish() {
  return End(nullptr);
}

absl::Status CopyIn::Abort(const std::string& reason) {
  absl::Status ended = End(reason.c_str()).status();
  // The server's answer to that is an error of its own.
  return SqlStateOf(ended) == kQueryCanceled ? absl::OkStatus() : ended;
}

void CopyOut::Free::operator()(char* piece) const {
  PQfreemem(piece);
}

CopyOut::~CopyOut() {
  if (connection_ != nullptr) (void)Fail(absl::OkStatus());
}

void CopyOut::Release() {
  connection_->in_use_ = false;
  connection_ = nullptr;
}

absl::Status CopyOut::Fail(absl::Status status) {
  connection_->Abandon();
  Release();
  return status;
}

absl::StatusOr<std::string_view> CopyOut::Next() {
  piece_.reset();
  if (connection_ == nullptr) return std::string_view();
  const OwnWait own_wait(connection_->mark_.get());
  Wire& wire = *connection_->wire_;
  for (;;) {
    char* bytes = nullptr;
    constexpr int kDoNotWait = 1;
    const int size = PQgetCopyData(wire.conn(), &bytes, kDoNotWait);
    if (size > 0) {
      piece_.reset(bytes);
      return std::string_view(bytes, static_cast<size_t>(size));
    }
    if (size == -1) {
      absl::Status ended = connection_->Collect().status();
      Release();
      if (!ended.ok()) return ended;
      return std::string_view();
    }
    if (size < 0) return Fail(wire.Error());
    if (absl::Status input = wire.AwaitInput(); !input.ok()) return Fail(std::move(input));
  }
}

void AppendCopyRow(absl::Span<const std::optional<std::string_view>> fields, std::string& to) {
  bool first = true;
  for (const std::optional<std::string_view>& field : fields) {
    if (!first) to += '\t';
    first = false;
    if (!field.has_value()) {
      to += "\\N";
      continue;
    }
    for (const char byte : *field) {
      switch (byte) {
        case '\\':
          to += "\\\\";
          break;
        case '\t':
          to += "\\t";
          break;
        case '\n':
          to += "\\n";
          break;
        case '\r':
          to += "\\r";
          break;
        default:
          to += byte;
      }
    }
  }
  to += '\n';
}

}  // namespace grove::postgres
