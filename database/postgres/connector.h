// Connector: makes connections to PostgreSQL without blocking the hub.
//
// Names are asked of a Resolver, and libpq is given addresses. What takes the hub's thread all the
// same: SCRAM's 4,096 rounds of SHA-256 (some milliseconds), TLS handshakes, and reading the files
// that are named.
// Connections may outlive it. Hub thread only.
#ifndef GROVE_DATABASE_POSTGRES_CONNECTOR_H_
#define GROVE_DATABASE_POSTGRES_CONNECTOR_H_

#include <memory>

#include "absl/status/statusor.h"
#include "database/postgres/connection.h"
#include "database/postgres/connection_options.h"
#include "database/postgres/services.h"

namespace grove::postgres {

class Connector {
 public:
  // kInvalidArgument: what is wrong with the options.
  static absl::StatusOr<std::unique_ptr<Connector>> Create(ResolverOptions resolver = {});

  // Of the first host that answers. kUnauthenticated: the server refuses the user; kNotFound: the
  // database; kUnavailable: nobody answers, or a certificate is not trusted; kResourceExhausted:
  // the server has no place left; kInvalidArgument: no hosts; kDeadlineExceeded, kCancelled: of the
  // caller. No message holds a password. **Parks.**
  absl::StatusOr<std::unique_ptr<Connection>> Connect(const ConnectionOptions& options);
  // The same without what a Connection adds.
  absl::StatusOr<std::unique_ptr<Wire>> Open(const ConnectionOptions& options);

  // Of all connections that it has made.
  const Stats& stats() const { return services_->stats; }
  // To count for others what belongs there.
  Services& services() { return *services_; }

 private:
  explicit Connector(std::shared_ptr<Services> services) : services_(std::move(services)) {}
  absl::StatusOr<std::unique_ptr<Wire>> TryHost(const HostPort& host,
                                                const ConnectionOptions& options);
  absl::StatusOr<std::unique_ptr<Wire>> TryAddress(const HostPort& host, const std::string& address,
                                                   const ConnectionOptions& options);
  const std::shared_ptr<Services> services_;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_CONNECTOR_H_
