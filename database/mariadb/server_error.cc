#include "database/mariadb/server_error.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include <string>

#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"

namespace grove::mariadb {
namespace {

constexpr const char* kNumberUrl = "grove.mariadb/error";

absl::StatusCode CodeOfClass(std::string_view sqlstate) {
  const std::string_view group = sqlstate.substr(0, 2);
  if (group == "08") return absl::StatusCode::kUnavailable;
  if (group == "21" || group == "22" || group == "42") return absl::StatusCode::kInvalidArgument;
  if (group == "23") return absl::StatusCode::kFailedPrecondition;
  if (group == "28") return absl::StatusCode::kUnauthenticated;
  if (group == "40") return absl::StatusCode::kAborted;
  return absl::StatusCode::kInternal;
}

absl::StatusCode CodeOf(unsigned number, std::string_view sqlstate) {
  switch (number) {
    case ER_LOCK_DEADLOCK:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_QUERY_INTERRUPTED:
    case ER_STATEMENT_TIMEOUT:
      return absl::StatusCode::kAborted;
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
    case ER_TABLE_EXISTS_ERROR:
    case ER_DB_CREATE_EXISTS:
      return absl::StatusCode::kAlreadyExists;
    case ER_BAD_DB_ERROR:
    case ER_NO_SUCH_TABLE:
    case ER_BAD_TABLE_ERROR:
      return absl::StatusCode::kNotFound;
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case CR_AUTH_PLUGIN_CANNOT_LOAD:
      return absl::StatusCode::kUnauthenticated;
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_HOST_NOT_PRIVILEGED:
      return absl::StatusCode::kPermissionDenied;
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_OUT_OF_RESOURCES:
    case ER_RECORD_FILE_FULL:
    case ER_DISK_FULL:
    case ER_NET_PACKET_TOO_LARGE:
    case CR_NET_PACKET_TOO_LARGE:
    case CR_OUT_OF_MEMORY:
      return absl::StatusCode::kResourceExhausted;
    case ER_OPTION_PREVENTS_STATEMENT:
    case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
    case CR_SSL_CONNECTION_ERROR:
      return absl::StatusCode::kFailedPrecondition;
    case ER_SERVER_SHUTDOWN:
    case ER_CONNECTION_KILLED:
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_SERVER_HANDSHAKE_ERR:
    case CR_MALFORMED_PACKET:
      return absl::StatusCode::kUnavailable;
    default:
      return CodeOfClass(sqlstate);
  }
}

}  // namespace

absl::Status ServerErrorStatus(unsigned number, std::string_view sqlstate,
                               std::string_view message) {
  absl::Status status(CodeOf(number, sqlstate),
                      StrCat("mariadb: ", message, " (", number, ", ", sqlstate, ")"));
  status.SetPayload(kNumberUrl, absl::Cord(absl::StrCat(number)));
  return status;
}

unsigned ErrorNumber(const absl::Status& status) {
  const auto text = status.GetPayload(kNumberUrl);
  unsigned number = 0;
  return text.has_value() && SimpleAtoi(std::string(*text), &number) ? number : 0;
}

}  // namespace grove::mariadb
