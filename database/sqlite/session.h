// Session: a connection to a SQLite file, as a function on a thread sees it.
//
// Its calls block, and are for the one thread that it is lent to: never for the hub's. Statements
// are kept for the next time they are asked for. Database makes and lends them.
#ifndef GROVE_DATABASE_SQLITE_SESSION_H_
#define GROVE_DATABASE_SQLITE_SESSION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/sqlite/cell.h"

struct sqlite3;
struct sqlite3_stmt;

namespace grove::sqlite {

struct Changes {
  int64_t rows = 0;  // inserted, updated or deleted
  int64_t last_insert_rowid = 0;
};

struct SessionOptions {
  std::string path;
  bool create = true;
  bool read_only = false;
  // How long one waits for a lock that another process has.
  absl::Duration busy_timeout = absl::Seconds(5);
  // Waits for the disk at each commit, and not at checkpoints alone: what was committed then
  // outlives a power failure, not just a crash.
  bool full_sync = false;
  size_t statements_max = 64;                 // that are kept
  size_t value_bytes_max = size_t{64} << 20;  // of a text or blob, and of a row
  size_t rows_bytes_max = size_t{64} << 20;   // of what Query() collects
};

// Any thread adds and reads.
struct SessionCounts {
  std::atomic<uint64_t> prepared{0};
  std::atomic<uint64_t> reused{0};
  std::atomic<uint64_t> rows{0};
  std::atomic<uint64_t> busy_waits{0};
  std::atomic<uint64_t> interrupted{0};
};

class Session {
 public:
  // A statement that runs; reset when it dies. Must not outlive the session.
  class Run {
   public:
    Run(Run&& other) noexcept;
    Run& operator=(Run&&) = delete;
    ~Run();
    // Whether there is a next row, which is in `row` then. Errors as of Execute().
    absl::StatusOr<bool> Step(Row& row);
    std::vector<std::string> Columns() const;

   private:
    friend class Session;
    Run(Session& session, sqlite3_stmt* statement) : session_(&session), statement_(statement) {}
    Session* session_;
    sqlite3_stmt* statement_;  // null: moved from
  };

  // result_code.h has the errors. Blocks.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const SessionOptions& options,
                                                       std::shared_ptr<SessionCounts> counts);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One statement with its parameters in order; rows are dropped. kInvalidArgument: more than one,
  // or another number of parameters; else result_code.h. kCancelled: its fiber is to end, and the
  // transaction is rolled back.
  absl::StatusOr<Changes> Execute(std::string_view sql, const Row& parameters = {});
  // All rows. kResourceExhausted: more than rows_bytes_max.
  absl::StatusOr<Rows> Query(std::string_view sql, const Row& parameters = {});
  // Row after row, until `each` fails.
  absl::Status ForEach(std::string_view sql, const Row& parameters,
                       absl::FunctionRef<absl::Status(Row& row)> each);
  absl::StatusOr<Run> Begin(std::string_view sql, const Row& parameters);
  // Statements without parameters, such as a schema.
  absl::Status RunScript(const std::string& sql);

  bool InTransaction() const;
  // While they are not allowed, a COMMIT rolls back instead, with SQLITE_CONSTRAINT_COMMITHOOK: a
  // statement must not end the transaction that it shares.
  void AllowCommits() { may_commit_ = true; }
  void ForbidCommits() { may_commit_ = false; }
  // Whether the fiber that waits for this has been cancelled or timed out: a function that computes
  // for long asks, and ends.
  bool stopped() const { return stop_; }

  // --- Any thread -------------------------------------------------------------------------------

  // Ends what runs on it, and what begins, with kCancelled, until ClearStop().
  void Stop();
  void ClearStop() { stop_ = false; }

 private:
  struct Kept {
    std::string sql;
    sqlite3_stmt* statement;
  };

  Session(const SessionOptions& options, std::shared_ptr<SessionCounts> counts)
      : options_(options), counts_(std::move(counts)) {}
  absl::Status Prepare();
  absl::StatusOr<sqlite3_stmt*> Statement(std::string_view sql);
  absl::Status Bind(sqlite3_stmt* statement, const Row& parameters);
  void PutBack(sqlite3_stmt* statement);
  absl::Status Error(int code);
  static int OnProgress(void* self);
  static int OnBusy(void* self, int tries);
  static int OnCommit(void* self);

  const SessionOptions options_;
  const std::shared_ptr<SessionCounts> counts_;
  sqlite3* database_ = nullptr;
  std::list<Kept> kept_;  // the last used first
  bool may_commit_ = true;
  int64_t busy_ms_ = 0;  // that were waited for the lock under way
  std::atomic<bool> stop_{false};
};

}  // namespace grove::sqlite

#endif  // GROVE_DATABASE_SQLITE_SESSION_H_
