// Transaction: BEGIN to COMMIT or ROLLBACK on a connection, which is its own meanwhile.
//
// Usually by RunTransaction() of pool.h, which repeats what lost a race. One that dies without an
// end closes its connection, so that the server rolls back: a destructor cannot wait.
// While it lives, the connection's TransactionGuard counts what its fiber waits for elsewhere. It
// must end before its connection, and stay with the fiber that began it. Hub thread only.
#ifndef GROVE_DATABASE_POSTGRES_TRANSACTION_H_
#define GROVE_DATABASE_POSTGRES_TRANSACTION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "database/postgres/connection.h"
#include "runtime/switch/source_location.h"

namespace grove::postgres {

enum class Isolation : uint8_t { kDefault, kReadCommitted, kRepeatableRead, kSerializable };

struct TransactionOptions {
  Isolation isolation = Isolation::kDefault;  // the server's: usually READ COMMITTED
  bool read_only = false;
  // Waits until it can run without failing for others; read-only and serializable ones alone.
  bool deferrable = false;
};

class Transaction {
 public:
  // kFailedPrecondition: one is open already. Else as Connection. **Parks.**
  static absl::StatusOr<Transaction> Begin(Connection& connection,
                                           const TransactionOptions& options = {},
                                           SourceLocation site = SourceLocation::Current());
  Transaction(Transaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)), savepoints_(other.savepoints_) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // As of Connection. After a failure the server refuses all (25P02) until Rollback() or the end of
  // the savepoint around it. **Park.**
  absl::StatusOr<Result> Query(std::string_view sql, Params params = {},
                               const QueryOptions& options = {});
  absl::StatusOr<int64_t> Execute(std::string_view sql, Params params = {},
                                  const QueryOptions& options = {});
  // For streams and COPY. Requires: it has not ended.
  Connection& connection() { return *connection_; }

  // kAborted: a statement has failed before, and all was rolled back. kUnknown: the connection
  // broke before the server said so; it may be committed or not. **Parks.**
  absl::Status Commit();
  // **Parks.**
  absl::Status Rollback();
  // What `body` did stays if it returns OK; else all since the savepoint is undone, the transaction
  // can go on, and its status is returned. **Parks** as `body`, and for two statements.
  absl::Status WithSavepoint(absl::FunctionRef<absl::Status()> body);

  bool open() const { return connection_ != nullptr && connection_->open(); }

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  absl::Status End(const char* command, std::string_view wanted);

  Connection* connection_;  // null: ended
  int savepoints_ = 0;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_TRANSACTION_H_
