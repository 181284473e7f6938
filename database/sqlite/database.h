// Database: a SQLite file, for fibers.
//
//   auto notes = Database::Open({.path = "notes.db"});
//   (*notes)->Execute("INSERT INTO note (text) VALUES (?)", {text});
//
// SQLite blocks, so it runs on threads of this database's own, while the fiber that asks waits: one
// that writes, and some that read, each its own connection, over a write-ahead log: readers see the
// last commit, and neither side waits for the other. A fiber that is cancelled or timed out stops
// what runs for it; a call returns once it has, since it may use the fiber's memory.
// Hub thread only.
#ifndef GROVE_DATABASE_SQLITE_DATABASE_H_
#define GROVE_DATABASE_SQLITE_DATABASE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/sqlite/cell.h"
#include "database/sqlite/session.h"
#include "runtime/group/resource_pool.h"
#include "runtime/offload/offload.h"

namespace grove::sqlite {

struct DatabaseOptions {
  // A file; ":memory:" is another database for each connection, and is refused.
  std::string path;
  bool create = true;
  // Run once it is open, on the writing thread: "CREATE TABLE IF NOT EXISTS …".
  std::string schema;
  int readers = 4;
  // Fibers that wait to write; kResourceExhausted beyond.
  size_t writers_waiting_max = 10'000;
  // Execute()s that wait share a transaction, at most so many: one commit, and with full_sync one
  // wait for the disk, for all of them. 1: none does. Each gets its own outcome, after the commit.
  size_t group_max = 64;
  absl::Duration busy_timeout = absl::Seconds(5);
  bool full_sync = false;
  size_t statements_max = 64;  // kept by each connection
  size_t value_bytes_max = size_t{64} << 20;
  size_t rows_bytes_max = size_t{64} << 20;  // of Query()
};

struct DatabaseStats {
  uint64_t writes = 0;        // Execute()s and Write()s
  uint64_t transactions = 0;  // of them
  uint64_t grouped = 0;       // Execute()s that shared one
  uint64_t regrouped = 0;     // of these, done again alone, since the shared one failed
  uint64_t reads = 0;         // Query()s, Read()s, and streams
  uint64_t rows = 0;
  uint64_t interrupted = 0;
  uint64_t busy_waits = 0;  // for locks of other processes
  uint64_t statements_prepared = 0;
  uint64_t statements_reused = 0;
  size_t writers_waiting = 0;  // now
  size_t readers_waiting = 0;  // now
  int64_t readers_lent = 0;    // now
  OffloadPool::Stats writer_thread;
  OffloadPool::Stats reader_threads;
};

class Database {
  using Reader = std::unique_ptr<Session>;

 public:
  // Rows of a statement, by batches: a reader is its own meanwhile, and sees the file as it was at
  // the first batch. Must not outlive the database; dies on a fiber.
  class Stream {
   public:
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) = delete;
    ~Stream();
    const std::vector<std::string>& columns() const { return columns_; }
    // Up to `rows_max` rows; none: the end. Errors as of Query(). After one it has ended.
    // **Parks.**
    absl::StatusOr<std::vector<Row>> Next(size_t rows_max = 256);

   private:
    friend class Database;
    Stream(Database& database, ResourcePool<Reader>::Lease reader)
        : database_(&database), reader_(std::move(reader)) {}

    Database* database_;
    std::optional<ResourcePool<Reader>::Lease> reader_;  // nothing once it has ended
    std::optional<Session::Run> run_;
    std::vector<std::string> columns_;
  };

  // kInvalidArgument: what is wrong with the options; else result_code.h. **Parks.**
  static absl::StatusOr<std::unique_ptr<Database>> Open(DatabaseOptions options);
  // Requires: no fiber is in a call of it, and no stream is left. Blocks, for what a checkpoint
  // takes, unless Close() came before.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One statement, by the writer, in a transaction. Its errors are those of result_code.h;
  // kInvalidArgument also: more than one statement, or another number of parameters;
  // kResourceExhausted also: too many fibers wait; kCancelled, kDeadlineExceeded: nothing was done.
  // **Parks.**
  absl::StatusOr<Changes> Execute(std::string_view sql, Row parameters = {});
  // All rows of a statement, by a reader. kResourceExhausted: more than rows_bytes_max. **Parks.**
  absl::StatusOr<Rows> Query(std::string_view sql, const Row& parameters = {});
  // The same by batches. **Parks.**
  absl::StatusOr<Stream> Select(std::string_view sql, const Row& parameters = {});

  // Runs `body` on the writing thread between BEGIN IMMEDIATE and COMMIT; what fails or throws is
  // rolled back, and given (thrown) here. It must neither park nor use what is for the hub's thread
  // alone, but may use the caller's memory. kCancelled, kDeadlineExceeded: nothing was done, or the
  // body said so. **Parks.**
  absl::Status Write(absl::FunctionRef<absl::Status(Session& session)> body);
  // The same on a reader's thread: all that it asks, it sees as of one moment. **Parks.**
  absl::Status Read(absl::FunctionRef<absl::Status(Session& session)> body);

  // Closes all connections, the last of which empties the log into the file. It is of no use
  // afterwards: kFailedPrecondition. Requires: as the destructor. **Parks.**
  void Close();
  DatabaseStats stats() const;

 private:
  // A write that waits, on the stack of its fiber.
  struct Job {
    absl::FunctionRef<absl::Status(Session&)> body;
    bool may_share;
    Fiber* fiber;
    absl::Status result;
    enum class State { kWaiting, kTaken, kDone } state = State::kWaiting;
    bool leads = false;
  };

  explicit Database(DatabaseOptions options);
  SessionOptions OptionsOf(bool read_only) const;
  absl::StatusOr<Reader> OpenSession(OffloadPool& threads, bool read_only);
  // Runs `call` on a thread while this fiber waits, and stops `session` if that is interrupted
  // and `stops`. The status says whether the call ran.
  absl::Status OnThread(OffloadPool& threads, Session* session, bool stops,
                        absl::FunctionRef<void()> call);
  absl::Status Queue(Job& job);
  absl::Status AwaitTurn(Job& job);
  void Lead();
  void Finish(Job& job);
  void PassOn();
  // On the writing thread.
  static absl::Status InTransaction(Session& session, std::string_view begin,
                                    absl::FunctionRef<absl::Status(Session&)> body);
  static bool RunGroup(Session& session, const std::vector<Job*>& group);

  const DatabaseOptions options_;
  const std::shared_ptr<SessionCounts> counts_ = std::make_shared<SessionCounts>();
  OffloadPool writer_thread_;
  OffloadPool reader_threads_;
  std::unique_ptr<Session> writer_;  // null: closed
  ResourcePool<Reader> readers_;
  std::deque<Job*> jobs_;
  bool led_ = false;  // one of the jobs' fibers drives the writing thread
  DatabaseStats stats_;
};

}  // namespace grove::sqlite

#endif  // GROVE_DATABASE_SQLITE_DATABASE_H_
