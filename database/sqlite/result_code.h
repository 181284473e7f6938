// SQLite's result codes as Status, which keep the code.
//
// Pure; any thread.
#ifndef GROVE_DATABASE_SQLITE_RESULT_CODE_H_
#define GROVE_DATABASE_SQLITE_RESULT_CODE_H_

#include <string_view>

#include "absl/status/status.h"

namespace grove::sqlite {

// `code`: extended, such as SQLITE_CONSTRAINT_UNIQUE: kAlreadyExists. docs/databases_other.md has
// the table. Requires: it is an error.
absl::Status ResultStatus(int code, std::string_view message);

// The extended result code that `status` was made of; 0 if of none.
int ResultCode(const absl::Status& status);

}  // namespace grove::sqlite

#endif  // GROVE_DATABASE_SQLITE_RESULT_CODE_H_
