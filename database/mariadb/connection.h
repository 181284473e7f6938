// Connection: a connection of MariaDB for one fiber at a time.
//
// Every statement is a prepared one, with its parameters sent apart from its text; they are kept
// for the next time. A fiber that is cancelled or timed out in a call breaks the connection: what
// it asked is ended on the server by KILL QUERY over another one. Client lends them.
// Hub thread only.
#ifndef GROVE_DATABASE_MARIADB_CONNECTION_H_
#define GROVE_DATABASE_MARIADB_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "database/mariadb/value.h"
#include "database/mariadb/wire.h"

namespace grove::mariadb {

struct ConnectionLimits {
  size_t statements_max = 64;                // that are kept
  size_t rows_bytes_max = size_t{64} << 20;  // of Query()
};

struct ConnectionStats {
  uint64_t statements = 0;  // that were run
  uint64_t prepared = 0;
  uint64_t rows = 0;
  uint64_t interrupted = 0;
};

class Connection {
 public:
  // Rows of a statement as they come from the server. The connection is its own meanwhile; if it
  // dies before its end, the connection is broken. Must not outlive it.
  class Stream {
   public:
    Stream(Stream&& other) noexcept;
    Stream& operator=(Stream&&) = delete;
    ~Stream();
    const std::vector<std::string>& columns() const { return columns_; }
    // Up to `rows_max` rows; none: the end. Errors as of Query(). **Parks.**
    absl::StatusOr<std::vector<Row>> Next(size_t rows_max = 256);

   private:
    friend class Connection;
    explicit Stream(Connection& connection) : connection_(&connection) {}
    Connection* connection_;
    MYSQL_STMT* statement_ = nullptr;  // null: it has ended, or has no rows
    std::vector<std::string> columns_;
  };

  Connection(std::unique_ptr<Wire> wire, std::shared_ptr<Dialer> dialer,
             const ConnectionLimits& limits, std::shared_ptr<ConnectionStats> stats);
  Connection(Connection&& other) noexcept = default;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  // server_error.h has the errors. kInvalidArgument also: another number of parameters;
  // kUnavailable: the connection broke, and it may have been done; kDeadlineExceeded, kCancelled:
  // so, too. Rows are dropped. **Parks.**
  absl::StatusOr<Changes> Execute(std::string_view sql, const Parameters& parameters = {});
  // All rows. kResourceExhausted: more than rows_bytes_max; the connection is broken. **Parks.**
  absl::StatusOr<Rows> Query(std::string_view sql, const Parameters& parameters = {});
  absl::StatusOr<Stream> Select(std::string_view sql, const Parameters& parameters = {});

  // **Park.**
  absl::Status Begin();
  absl::Status Commit();
  absl::Status Rollback();
  // As new: transaction, variables, temporary tables and statements are gone. **Parks.**
  absl::Status Reset();

  // Whether the server has not hung up on it, as far as this side has heard. Never parks.
  bool Idle() const;
  // Makes it fit for the next user: rolled back, or as new if ResetAfterUse() was said. **Parks.**
  bool Clean();
  void ResetAfterUse() { reset_after_use_ = true; }

  bool InTransaction() const;
  bool broken() const { return wire_ == nullptr || wire_->broken(); }

 private:
  struct Kept {
    std::string sql;
    MYSQL_STMT* statement;
  };

  absl::StatusOr<MYSQL_STMT*> Prepare(std::string_view sql);
  absl::StatusOr<MYSQL_STMT*> Start(std::string_view sql, const Parameters& parameters);
  // Whether there is a next row.
  absl::StatusOr<bool> Fetch(MYSQL_STMT* statement, Row& row);
  absl::Status Finish(MYSQL_STMT* statement);
  absl::Status Drive(absl::FunctionRef<int()> start, absl::FunctionRef<int(int)> cont);
  void Forget();

  std::unique_ptr<Wire> wire_;  // null: moved from
  std::shared_ptr<Dialer> dialer_;
  ConnectionLimits limits_;
  std::shared_ptr<ConnectionStats> stats_;
  std::list<Kept> kept_;  // the last used first
  bool reset_after_use_ = false;
};

}  // namespace grove::mariadb

#endif  // GROVE_DATABASE_MARIADB_CONNECTION_H_
