// ConnectionOptions: where a database is, as whom, and what a session may take.
//
// What is left empty is libpq's own default: the environment (PGUSER, PGPASSWORD, …), ~/.pgpass,
// the name of the system's user.
// A value; any thread.
#ifndef GROVE_DATABASE_POSTGRES_CONNECTION_OPTIONS_H_
#define GROVE_DATABASE_POSTGRES_CONNECTION_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/guard/transaction_guard.h"
#include "database/postgres/sql_error.h"

namespace grove::postgres {

struct HostPort {
  // A name, an address, or the directory of a UNIX socket, which begins with a slash.
  std::string host;
  uint16_t port = 5432;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// As libpq's sslmode. Only the last two know whom they speak to; kVerifyFull checks the name, too.
enum class TlsMode : uint8_t { kDisable, kPrefer, kRequire, kVerifyCa, kVerifyFull };

// Which servers will do, as libpq's target_session_attrs.
enum class SessionKind : uint8_t { kAny, kReadWrite, kReadOnly, kPrimary, kStandby };

struct ConnectionOptions {
  // Tried one after the other, and of each all addresses that its name has.
  std::vector<HostPort> hosts;
  std::string database;
  std::string user;
  std::string password;
  std::string application_name = "grove";
  TlsMode tls = TlsMode::kPrefer;
  std::string ca_file;  // PEM, as are the next two; "system" is not known to libpq 15
  std::string certificate_file;
  std::string key_file;
  SessionKind session = SessionKind::kAny;
  // Of one address; of all of it.
  absl::Duration attempt_timeout = absl::Seconds(10);
  absl::Duration connect_timeout = absl::Seconds(30);
  // Of the session, set as it starts: {"statement_timeout", "5s"}.
  std::vector<std::pair<std::string, std::string>> settings;
  // Prepared and kept by the connection, those used last. 0: none, for a pooler between that gives
  // each transaction another server (PgBouncer before 1.21).
  size_t statements_max = 256;
  // Of the rows of one Query(). Beyond: kResourceExhausted.
  size_t result_bytes_max = size_t{64} << 20;
  // NOTICE, WARNING and the like. Must neither park nor throw. Null: dropped.
  std::function<void(const SqlError&)> notice = nullptr;
  // Sees what fibers wait for inside of transactions; must outlive the connection. A Pool sets its
  // own. Null: nobody looks.
  guard::TransactionGuard* guard = nullptr;

  // Of a URL ("postgresql://user@host:5432,host2/database?sslmode=verify-full") or of libpq's pairs
  // ("host=… dbname=…"). kInvalidArgument: malformed, or with a key that is not one of those above.
  static absl::StatusOr<ConnectionOptions> Parse(const std::string& text);
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_CONNECTION_OPTIONS_H_
