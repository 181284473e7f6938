#include "database/mariadb/client.h"

#include <mysqld_error.h>

#include <random>
#include <utility>

#include "database/mariadb/server_error.h"
#include "runtime/hub/hub.h"

namespace grove::mariadb {

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  if (options.connections_max < 1 || options.tries_max < 1 ||
      options.connection.statements_max < 1) {
    return absl::InvalidArgumentError(
        "mariadb: connections_max, tries_max and statements_max begin at 1");
  }
  absl::StatusOr<std::shared_ptr<Dialer>> dialer = Dialer::Create(std::move(options.server));
  if (!dialer.ok()) return dialer.status();
  return std::unique_ptr<Client>(new Client(options, *std::move(dialer)));
}

Client::Client(const ClientOptions& options, std::shared_ptr<Dialer> dialer)
    : tries_max_(options.tries_max),
      retry_(options.retry),
      random_(SeededRandom(std::random_device()())),
      dialer_(std::move(dialer)),
      connections_({
          .max = options.connections_max,
          .idle_max = options.idle_max,
          .age_max = options.age_max,
          .create = [dialer = dialer_, limits = options.connection,
                     stats = connection_stats_]() -> absl::StatusOr<Connection> {
            absl::StatusOr<std::unique_ptr<Wire>> wire = dialer->Dial();
            if (!wire.ok()) return wire.status();
            return Connection(*std::move(wire), dialer, limits, stats);
          },
          .healthy = [](Connection& connection) { return connection.Idle(); },
          .clean = [](Connection& connection) { return connection.Clean(); },
      }) {}

absl::StatusOr<Changes> Client::Execute(std::string_view sql, const Parameters& parameters) {
  absl::StatusOr<Lease> connection = connections_.Take();
  if (!connection.ok()) return connection.status();
  absl::StatusOr<Changes> changes = (*connection)->Execute(sql, parameters);
  connection->PutBack();
  return changes;
}

absl::StatusOr<Rows> Client::Query(std::string_view sql, const Parameters& parameters) {
  absl::StatusOr<Lease> connection = connections_.Take();
  if (!connection.ok()) return connection.status();
  absl::StatusOr<Rows> rows = (*connection)->Query(sql, parameters);
  connection->PutBack();
  return rows;
}

absl::StatusOr<Client::Lease> Client::Take() {
  absl::StatusOr<Lease> connection = connections_.Take();
  if (connection.ok()) (*connection)->ResetAfterUse();
  return connection;
}

absl::Status Client::Transact(absl::FunctionRef<absl::Status(Connection& connection)> body) {
  Backoff pauses(retry_);
  ++transactions_;
  for (int tries = 1;; ++tries) {
    absl::Status done = TransactOnce(body);
    const unsigned error = ErrorNumber(done);
    if (error != ER_LOCK_DEADLOCK && error != ER_LOCK_WAIT_TIMEOUT) return done;
    if (tries == tries_max_) return done;
    ++retries_;
    if (absl::Status slept = Sleep(pauses.Next(random_())); !slept.ok()) return slept;
  }
}

absl::Status Client::TransactOnce(absl::FunctionRef<absl::Status(Connection& connection)> body) {
  absl::StatusOr<Lease> connection = connections_.Take();
  if (!connection.ok()) return connection.status();
  absl::Status done = (*connection)->Begin();
  if (done.ok()) done = body(**connection);  // what it throws drops the connection
  if (done.ok()) done = (*connection)->Commit();
  connection->PutBack();  // which rolls back what is left
  return done;
}

ClientStats Client::stats() const {
  return {.connection = *connection_stats_,
          .dialer = dialer_->stats(),
          .transactions = transactions_,
          .retries = retries_,
          .connections_lent = connections_.lent(),
          .connections_idle = connections_.idle(),
          .connections_waiting = connections_.waiting()};
}

}  // namespace grove::mariadb
