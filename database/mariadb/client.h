// Client: statements of fibers to one MariaDB (or MySQL) server, over a pool of connections.
//
//   auto client = Client::Create({.server = {.host = "db.example.org", .user = "app"}});
//   absl::StatusOr<Rows> rows = (*client)->Query("SELECT name FROM user WHERE id = ?", {id});
//
// Calls look blocking and park only their fiber; Timeout scopes bound them, Cancel() ends them. One
// client serves all fibers of its hub. Nothing is sent a second time but a transaction that the
// server itself has rolled back.
// Hub thread only.
#ifndef GROVE_DATABASE_MARIADB_CLIENT_H_
#define GROVE_DATABASE_MARIADB_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/mariadb/connection.h"
#include "database/mariadb/value.h"
#include "database/mariadb/wire.h"
#include "runtime/group/resource_pool.h"
#include "runtime/repeat/backoff.h"

namespace grove::mariadb {

struct ClientOptions {
  ServerOptions server;
  ConnectionLimits connection;
  // Open at once; further fibers wait, first come, first served.
  int64_t connections_max = 10;
  absl::Duration idle_max = absl::Seconds(60);
  absl::Duration age_max = absl::InfiniteDuration();
  // Of a transaction that ends in a deadlock or waits too long for a lock.
  int tries_max = 5;
  BackoffOptions retry = {.first = absl::Milliseconds(10), .growth = 2, .max = absl::Seconds(1)};
};

struct ClientStats {
  ConnectionStats connection;
  Dialer::Stats dialer;
  uint64_t transactions = 0;
  uint64_t retries = 0;  // of them
  int64_t connections_lent = 0;
  int64_t connections_idle = 0;
  size_t connections_waiting = 0;  // fibers
};

class Client {
 public:
  using Lease = ResourcePool<Connection>::Lease;

  // Connects to nothing yet. kInvalidArgument: what is wrong with the options.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);
  // Requires: no fiber is in a call of it, nothing is lent; Close() was called, or its hub runs.
  ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One statement, committed by itself. Errors as of Connection, and of Dialer::Dial(). **Park.**
  absl::StatusOr<Changes> Execute(std::string_view sql, const Parameters& parameters = {});
  absl::StatusOr<Rows> Query(std::string_view sql, const Parameters& parameters = {});

  // Runs `body` between START TRANSACTION and COMMIT; what fails or throws is rolled back. After a
  // deadlock (1213) or a wait for a lock that was too long (1205) it is run again, at most
  // `tries_max` times, so it must do nothing else that can't be done twice. **Parks.**
  absl::Status Transact(absl::FunctionRef<absl::Status(Connection& connection)> body);

  // A connection of one's own. PutBack() makes it as new for the next; a lease that just dies
  // closes it. **Parks** while connections_max are lent.
  absl::StatusOr<Lease> Take();

  // Closes what is idle. In the hub's Run(), before that ends.
  void Close() { connections_.Clear(); }
  ClientStats stats() const;

 private:
  Client(const ClientOptions& options, std::shared_ptr<Dialer> dialer);
  absl::Status TransactOnce(absl::FunctionRef<absl::Status(Connection& connection)> body);

  const int tries_max_;
  const BackoffOptions retry_;
  const Random random_;
  const std::shared_ptr<Dialer> dialer_;
  const std::shared_ptr<ConnectionStats> connection_stats_ = std::make_shared<ConnectionStats>();
  ResourcePool<Connection> connections_;
  uint64_t transactions_ = 0;
  uint64_t retries_ = 0;
};

}  // namespace grove::mariadb

#endif  // GROVE_DATABASE_MARIADB_CLIENT_H_
