// SqlError: what the server said of a statement that failed, and how it travels in a Status.
//
// The status' code is the canonical one of the SQLSTATE, its message "23505: duplicate key value
// violates unique constraint …". What may hold values of rows (detail, hint, context) is in the
// payload alone, where SqlErrorOf() finds it: messages end up in logs.
// Pure; any thread.
#ifndef GROVE_DATABASE_POSTGRES_SQL_ERROR_H_
#define GROVE_DATABASE_POSTGRES_SQL_ERROR_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace grove::postgres {

// SQLSTATEs that programs ask for. The whole list: appendix A of PostgreSQL's manual.
inline constexpr std::string_view kUniqueViolation = "23505";
inline constexpr std::string_view kForeignKeyViolation = "23503";
inline constexpr std::string_view kSerializationFailure = "40001";
inline constexpr std::string_view kDeadlockDetected = "40P01";
inline constexpr std::string_view kQueryCanceled = "57014";
inline constexpr std::string_view kUndefinedTable = "42P01";
inline constexpr std::string_view kLockNotAvailable = "55P03";

struct SqlError {
  std::string sqlstate;  // five characters
  std::string severity;  // "ERROR", "FATAL", "NOTICE" …, whatever the server's language
  std::string message;
  std::string detail;
  std::string hint;
  std::string position;  // in the statement, in characters from 1 on
  std::string schema;
  std::string table;
  std::string column;
  std::string constraint;
};

// Of a class or a single state: 23505 kAlreadyExists, 40001 and 40P01 kAborted, 57014 kCancelled,
// class 08 kUnavailable, …; kUnknown for those that nobody has told.
absl::StatusCode CodeOfSqlState(std::string_view sqlstate);

absl::Status SqlErrorStatus(const SqlError& error);
// Nothing if `status` is none of the server's.
std::optional<SqlError> SqlErrorOf(const absl::Status& status);
// Empty if `status` is none of the server's.
std::string SqlStateOf(const absl::Status& status);

// Whether the same transaction, run again from its beginning, may well succeed: a serialization
// failure or a deadlock.
bool MayRetryTransaction(const absl::Status& status);

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_SQL_ERROR_H_
