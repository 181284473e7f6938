// Wire: a libpq connection whose waits park a fiber.
//
// libpq never blocks here: it sends what the kernel takes (Flush), reads what is there (AwaitInput)
// and hands out results that are whole (NextResult). In between the fiber waits for the descriptor.
//
// libpq reads once for each PQconsumeInput(), so that bytes may stay behind in the kernel, or in
// OpenSSL, which no edge of the poller tells of again. Whether there are is asked before a wait,
// unless an answer must still come: its arrival is an edge.
// A status that is not OK leaves the wire in no state to go on with: Abandon() it.
// Hub thread only; one fiber at a time.
#ifndef GROVE_DATABASE_POSTGRES_WIRE_H_
#define GROVE_DATABASE_POSTGRES_WIRE_H_

#include <libpq-fe.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/postgres/services.h"
#include "database/postgres/sql_error.h"

namespace grove::postgres {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

class Wire {
 public:
  // Takes over `conn`, whose descriptor it registers with the hub by Adopt().
  Wire(std::shared_ptr<Services> services, PGconn* conn)
      : services_(std::move(services)), conn_(conn) {}
  ~Wire() { Close(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Registers the descriptor that libpq uses now, which changes while it connects.
  absl::Status Adopt();
  // Forgets it, for a while in which libpq may close it.
  void Disown();
  // Says good-bye to the server as far as the kernel takes it, and never waits.
  void Close();

  PGconn* conn() { return conn_; }
  bool open() const { return conn_ != nullptr; }
  int fd() const { return fd_; }
  Services& services() { return *services_; }
  const std::shared_ptr<Services>& shared_services() { return services_; }

  // Until the kernel has taken all; reads meanwhile, since a server that cannot send may not
  // receive. **Parks.**
  absl::Status Flush();
  // The next result; null: the statement has no more. In single row mode a row. With a bound, it
  // fails with kResourceExhausted when about so many bytes have come and the result is not whole.
  // **Parks.**
  absl::StatusOr<ResultPtr> NextResult(size_t bytes_max = SIZE_MAX);
  // Until something has been read, or there was nothing. **Parks.**
  absl::Status AwaitInput();
  // Reads what is there.
  absl::Status Consume();
  // Nothing is under way at the server: what comes next will be the answer to what is sent next.
  void ExpectAnswer() { may_hold_more_ = false; }
  // Whether bytes may have come that nobody asked for: a notice, a notification, the end.
  bool MayHaveInput();
  // Waits for the descriptor, as libpq's polling status asks. **Parks.**
  absl::Status AwaitReady(bool for_read);

  // What libpq says is wrong: kUnavailable if the connection is no more.
  absl::Status Error();

  // Asks the server to end what it runs for this connection, from a fiber of its own, and closes
  // the wire then. Never parks. The wire is gone.
  static void Abandon(std::unique_ptr<Wire> wire);
  // Asks the server to end what is under way; it may have ended before. **Parks.**
  absl::Status Cancel();

 private:
  size_t Unread() const;
  // Whether a read would find something.
  bool HasInput() const;
  absl::Status ConsumeCounted(size_t& received);

  const std::shared_ptr<Services> services_;
  PGconn* conn_;
  int fd_ = -1;
  bool may_hold_more_ = false;
};

// The server's error, or libpq's own, of a result.
absl::Status ResultStatus(const PGresult* result);
SqlError ReadSqlError(const PGresult* result);

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_WIRE_H_
