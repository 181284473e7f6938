// Connection: a session with a PostgreSQL server, used from fibers.
//
//   absl::StatusOr<Result> rows = connection->Query("SELECT name FROM users WHERE id = $1", {id});
//
// Calls look blocking and park only their fiber. Timeout scopes bound them and Cancel() ends them:
// a fiber that leaves in the middle of a statement closes the connection, and the server is asked
// to end what it runs. An error that the server tells leaves the connection as it was, but for
// those that end it. One fiber at a time: another gets kFailedPrecondition; so does whoever calls
// while a RowStream, CopyIn or CopyOut is open.
// Statuses: those of SqlErrorStatus() for what the server says; kUnavailable for a connection that
// broke (the statement may have run); kResourceExhausted: the result is too large;
// kFailedPrecondition: closed, or in use; kInvalidArgument: the parameters; kDeadlineExceeded and
// kCancelled of the fiber itself.
// Hub thread only.
#ifndef GROVE_DATABASE_POSTGRES_CONNECTION_H_
#define GROVE_DATABASE_POSTGRES_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "database/postgres/connection_options.h"
#include "database/postgres/param.h"
#include "database/postgres/result.h"

namespace grove::postgres {

class CopyIn;
class CopyOut;
class ParamArrays;
class RowStream;
class StatementCache;
class Wire;

using Params = absl::Span<const Param>;

struct QueryOptions {
  // Rows in the binary form: quicker for numbers, times and bytes. Types that Result knows nothing
  // of (numeric, jsonb, uuid, …) are not to be read then.
  bool binary = false;
  // Kept by the connection, so that the server plans it once. Not for texts that are made anew each
  // time.
  bool prepare = true;
};

class Connection {
 public:
  // By Connector::Connect().
  Connection(const ConnectionOptions& options, std::unique_ptr<Wire> wire);
  // Closes. Requires: no RowStream, CopyIn or CopyOut of it lives.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One statement; `$1` in it is the first of `params`. **Parks.**
  absl::StatusOr<Result> Query(std::string_view sql, Params params = {},
                               const QueryOptions& options = {});
  // The same for who wants no rows: how many there were, or were changed. **Parks.**
  absl::StatusOr<int64_t> Execute(std::string_view sql, Params params = {},
                                  const QueryOptions& options = {});
  // Any number of statements without parameters, separated by semicolons, as one transaction unless
  // they say otherwise. The first failure ends it. **Parks.**
  absl::Status ExecuteScript(std::string_view sql);
  // The rows one after the other, however many they are. **Parks.**
  absl::StatusOr<RowStream> Stream(std::string_view sql, Params params = {},
                                   const QueryOptions& options = {});
  // "COPY users FROM STDIN" and "COPY users TO STDOUT", in any format. **Parks.**
  absl::StatusOr<CopyIn> StartCopyIn(std::string_view sql);
  absl::StatusOr<CopyOut> StartCopyOut(std::string_view sql);

  // Whether the server answers. **Parks.**
  absl::Status Ping();
  // As new for the next user: ends a transaction that is open. False: it is closed. **Parks** only
  // if there is something to end.
  bool Clean();
  // Closes at once; the server ends what runs and rolls back.
  void Close();
  // Without asking the server: not closed, and nothing has come that says that it ended.
  bool LooksAlive();

  bool open() const;
  bool in_use() const { return in_use_; }
  // As of the last answer.
  bool in_transaction() const;
  // Of the server's process, as pg_stat_activity shows it.
  int backend_pid() const;
  bool uses_tls() const;
  // What the server reports: "server_version", "TimeZone", …; empty if it does not.
  std::string_view parameter(const std::string& name) const;
  size_t prepared_statements() const;
  const ConnectionOptions& options() const { return options_; }

  // "a""b" of a"b: for names in statements that no parameter can stand for.
  static std::string QuoteIdentifier(std::string_view name);

 private:
  friend class CopyIn;
  friend class CopyOut;
  friend class Listener;
  friend class RowStream;
  friend class Transaction;

  // The right to use the connection; given up at the scope's end, or kept by what goes on.
  class Use;

  absl::StatusOr<Result> RunOnce(const std::string& sql, Params params,
                                 const QueryOptions& options);
  absl::StatusOr<Result> PrepareAndRun(const std::string& sql, Params params,
                                       const ParamArrays& arrays, bool binary);
  // To the end of a statement: its last result, or its first error.
  absl::StatusOr<Result> Collect();
  // To the end of a batch of `statements` in pipeline mode: how many have succeeded, and the last
  // one's result.
  absl::StatusOr<Result> CollectBatch(int statements, int& succeeded);
  // Sends a statement whose first result is to be `wanted` (an ExecStatusType).
  absl::Status StartCopy(const std::string& sql, int wanted);
  // A statement of the library's own, without rows.
  absl::Status Command(const std::string& sql);
  // `status` of a wait or of libpq, after which nothing is known of the connection: it is given up.
  absl::Status Broken(absl::Status status);
  // `status` that the server told: if that was its last word, the connection is closed.
  absl::Status Told(absl::Status status);
  void Abandon();

  const ConnectionOptions options_;
  std::unique_ptr<Wire> wire_;  // null: closed
  std::unique_ptr<StatementCache> statements_;
  std::unique_ptr<guard::TransactionGuard::Mark> mark_;  // of the transaction that is open
  bool in_use_ = false;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_CONNECTION_H_
