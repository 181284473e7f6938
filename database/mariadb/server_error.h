// MariaDB's errors as Status, which keep their number.
//
// Pure; any thread.
#ifndef GROVE_DATABASE_MARIADB_SERVER_ERROR_H_
#define GROVE_DATABASE_MARIADB_SERVER_ERROR_H_

#include <string_view>

#include "absl/status/status.h"

namespace grove::mariadb {

// `number`: 1062, 1213 …, of the server, or 2000 and up of the client library; `sqlstate`: five
// letters. docs/databases_other.md has the table. Requires: it is an error.
absl::Status ServerErrorStatus(unsigned number, std::string_view sqlstate,
                               std::string_view message);

// The number that `status` was made of; 0 if of none.
unsigned ErrorNumber(const absl::Status& status);

}  // namespace grove::mariadb

#endif  // GROVE_DATABASE_MARIADB_SERVER_ERROR_H_
