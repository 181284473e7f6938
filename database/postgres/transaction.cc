#include "database/postgres/transaction.h"

#include "database/postgres/connection_use.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

std::string BeginText(const TransactionOptions& options) {
  std::string text = "BEGIN";
  switch (options.isolation) {
    case Isolation::kDefault:
      break;
    case Isolation::kReadCommitted:
      text += " ISOLATION LEVEL READ COMMITTED";
      break;
    case Isolation::kRepeatableRead:
      text += " ISOLATION LEVEL REPEATABLE READ";
      break;
    case Isolation::kSerializable:
      text += " ISOLATION LEVEL SERIALIZABLE";
      break;
  }
  if (options.read_only) text += " READ ONLY";
  if (options.deferrable) text += " DEFERRABLE";
  return text;
}

absl::Status Ended() {
  return absl::FailedPreconditionError("the transaction has ended");
}

}  // namespace

absl::StatusOr<Transaction> Transaction::Begin(Connection& connection,
                                               const TransactionOptions& options,
                                               SourceLocation site) {
  if (connection.in_transaction()) {
    return absl::FailedPreconditionError(
        "a transaction is open on this connection: a part of it "
        "that may fail is WithSavepoint()");
  }
  Connection::Use use(connection);
  if (!use.status().ok()) return use.status();
  if (absl::Status begun = connection.Command(BeginText(options)); !begun.ok()) return begun;
  if (guard::TransactionGuard* const guard = connection.options().guard; guard != nullptr) {
    connection.mark_ = guard->Hold("transaction", site);
  }
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ != nullptr) connection_->Abandon();
}

absl::StatusOr<Result> Transaction::Query(std::string_view sql, Params params,
                                          const QueryOptions& options) {
  return connection_ == nullptr ? Ended() : connection_->Query(sql, params, options);
}

absl::StatusOr<int64_t> Transaction::Execute(std::string_view sql, Params params,
                                             const QueryOptions& options) {
  return connection_ == nullptr ? Ended() : connection_->Execute(sql, params, options);
}

// The server answers COMMIT with the tag ROLLBACK if a statement had failed.
absl::Status Transaction::End(const char* command, std::string_view wanted) {
  if (connection_ == nullptr) return Ended();
  absl::StatusOr<Result> ended = connection_->Query(command, {}, {.prepare = false});
  if (absl::IsFailedPrecondition(ended.status()) && connection_->open()) return ended.status();
  Connection& connection = *std::exchange(connection_, nullptr);
  connection.mark_.reset();
  if (!ended.ok()) return ended.status();
  if (ended->command() == wanted) return absl::OkStatus();
  return absl::AbortedError("a statement of the transaction had failed: all was rolled back");
}

absl::Status Transaction::Commit() {
  const bool was_open = open();
  absl::Status committed = End("COMMIT", "COMMIT");
  if (committed.ok() || !was_open) return committed;
  // The server's own words are clear. What ended without them may have been carried out.
  const bool told = !SqlStateOf(committed).empty() || absl::IsAborted(committed) ||
                    absl::IsFailedPrecondition(committed);
  if (told || !absl::IsUnavailable(committed)) return committed;
  return absl::UnknownError(
      StrCat("whether the transaction was committed is not known: ", Std(committed.message())));
}

absl::Status Transaction::Rollback() {
  return End("ROLLBACK", "ROLLBACK");
}

absl::Status Transaction::WithSavepoint(absl::FunctionRef<absl::Status()> body) {
  if (connection_ == nullptr) return Ended();
  const std::string name = StrCat("grove_", ++savepoints_);
  const auto run = [this](const std::string& sql) {
    return connection_ == nullptr ? Ended()
                                  : connection_->Query(sql, {}, {.prepare = false}).status();
  };
  if (absl::Status begun = run("SAVEPOINT " + name); !begun.ok()) return begun;
  absl::Status done = body();
  if (done.ok()) return run("RELEASE SAVEPOINT " + name);
  if (absl::Status undone = run("ROLLBACK TO SAVEPOINT " + name); !undone.ok()) {
    // Its failure is the one to tell of: the transaction cannot go on.
    return open() ? undone : done;
  }
  return done;
}

}  // namespace grove::postgres
