#include "database/sqlite/result_code.h"

#include <sqlite3.h>

#include <string>

#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"

namespace grove::sqlite {
namespace {

constexpr const char* kCodeUrl = "grove.sqlite/code";

absl::StatusCode CodeOf(int extended) {
  switch (extended) {
    case SQLITE_BUSY_SNAPSHOT:  // only a transaction that begins anew can succeed
      return absl::StatusCode::kAborted;
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_UNIQUE:
      return absl::StatusCode::kAlreadyExists;
    default:
      break;
  }
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_PROTOCOL:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_AUTH:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_CANTOPEN:
      return absl::StatusCode::kNotFound;
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status ResultStatus(int code, std::string_view message) {
  absl::Status status(CodeOf(code), StrCat("sqlite: ", message));
  status.SetPayload(kCodeUrl, absl::Cord(absl::StrCat(code)));
  return status;
}

int ResultCode(const absl::Status& status) {
  const auto code = status.GetPayload(kCodeUrl);
  int number = 0;
  return code.has_value() && SimpleAtoi(std::string(*code), &number) ? number : 0;
}

}  // namespace grove::sqlite
