#include "database/postgres/sql_error.h"

#include <array>

#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

constexpr char kPayloadUrl[] = "grove.postgres/SqlError";

// The fields in the order in which the payload has them.
constexpr std::array kFields = {&SqlError::sqlstate,  &SqlError::severity, &SqlError::message,
                                &SqlError::detail,    &SqlError::hint,     &SqlError::position,
                                &SqlError::schema,    &SqlError::table,    &SqlError::column,
                                &SqlError::constraint};

struct CodeRow {
  std::string_view prefix;
  absl::StatusCode code;
};

// The first row whose prefix fits, so that states stand above their classes.
constexpr CodeRow kCodes[] = {
    {"02", absl::StatusCode::kNotFound},
    {"08", absl::StatusCode::kUnavailable},
    {"0A", absl::StatusCode::kUnimplemented},
    {"22", absl::StatusCode::kInvalidArgument},
    {"23505", absl::StatusCode::kAlreadyExists},
    {"23P01", absl::StatusCode::kAlreadyExists},  // exclusion_violation
    {"23", absl::StatusCode::kFailedPrecondition},
    {"25", absl::StatusCode::kFailedPrecondition},
    {"26", absl::StatusCode::kFailedPrecondition},
    {"28", absl::StatusCode::kUnauthenticated},
    {"3D", absl::StatusCode::kNotFound},
    {"3F", absl::StatusCode::kNotFound},
    {"40", absl::StatusCode::kAborted},
    {"42501", absl::StatusCode::kPermissionDenied},
    {"42701", absl::StatusCode::kAlreadyExists},  // duplicate column
    {"42710", absl::StatusCode::kAlreadyExists},  // … object
    {"42723", absl::StatusCode::kAlreadyExists},  // … function
    {"42P04", absl::StatusCode::kAlreadyExists},  // … database
    {"42P06", absl::StatusCode::kAlreadyExists},  // … schema
    {"42P07", absl::StatusCode::kAlreadyExists},  // … table
    {"42", absl::StatusCode::kInvalidArgument},
    {"44", absl::StatusCode::kFailedPrecondition},
    {"53", absl::StatusCode::kResourceExhausted},
    {"54", absl::StatusCode::kInvalidArgument},
    {"55P03", absl::StatusCode::kAborted},  // lock_not_available
    {"55", absl::StatusCode::kFailedPrecondition},
    {"57014", absl::StatusCode::kCancelled},
    {"57", absl::StatusCode::kUnavailable},
    {"58", absl::StatusCode::kInternal},
    {"P0", absl::StatusCode::kFailedPrecondition},  // RAISE of a function
    {"XX", absl::StatusCode::kInternal},
};

}  // namespace

absl::StatusCode CodeOfSqlState(std::string_view sqlstate) {
  for (const CodeRow& row : kCodes) {
    if (sqlstate.starts_with(row.prefix)) return row.code;
  }
  return absl::StatusCode::kUnknown;
}

absl::Status SqlErrorStatus(const SqlError& error) {
  absl::Status status(CodeOfSqlState(error.sqlstate),
                      Abseil(StrCat(error.sqlstate, ": ", error.message)));
  std::string payload;
  for (const auto field : kFields) {
    payload += error.*field;
    payload += '\0';  // no field of the protocol holds one
  }
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

std::optional<SqlError> SqlErrorOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  std::string_view left = text;
  SqlError error;
  for (const auto field : kFields) {
    const size_t end = left.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    error.*field = left.substr(0, end);
    left.remove_prefix(end + 1);
  }
  return error;
}

std::string SqlStateOf(const absl::Status& status) {
  if (status.ok()) return "";
  const std::optional<SqlError> error = SqlErrorOf(status);
  return error.has_value() ? error->sqlstate : "";
}

bool MayRetryTransaction(const absl::Status& status) {
  const std::string sqlstate = SqlStateOf(status);
  return sqlstate == kSerializationFailure || sqlstate == kDeadlockDetected;
}

}  // namespace grove::postgres
