// SqliteReader: reads tasks by their ids, and finds ended ones, while the writer writes.
//
// A thread with a connection of its own (SQLite's write-ahead log lets both work at once) answers
// one request after the other, in the order of their coming. Opens the file when it is first asked
// and after CloseConnection().
// Public methods may be called from any thread.
#ifndef GROVE_SERVER_TASKS_SQLITE_READER_H_
#define GROVE_SERVER_TASKS_SQLITE_READER_H_

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/sqlite/connection.h"
#include "server/tasks/store.h"

namespace grove::tasks {

class SqliteReader {
 public:
  explicit SqliteReader(std::string path) : path_(std::move(path)) {}
  // Without Stop() what waits is never answered.
  ~SqliteReader();
  SqliteReader(const SqliteReader&) = delete;
  SqliteReader& operator=(const SqliteReader&) = delete;

  void Start();
  // Answers what waits with UNAVAILABLE and ends the thread.
  void Stop();

  // Ids that the file lacks are left out of the answer.
  void Read(std::vector<TaskId> tasks, TaskStore::ReadCallback done);
  void FindEnded(EndedQuery query, TaskStore::FindCallback done);

  // Held while a task is read, or a page is found: whoever holds it may do with the file what no
  // reader must see.
  absl::Mutex& between_reads() ABSL_LOCK_RETURNED(between_reads_) { return between_reads_; }
  void CloseConnection() ABSL_EXCLUSIVE_LOCKS_REQUIRED(between_reads_);

 private:
  enum class Ending { kNone, kAnswer, kDrop };
  // Answers; with that status, if it is an error.
  using Request = absl::AnyInvocable<void(const absl::Status& status)>;

  void Run();
  void Ask(Request request);
  // Waits for a request; false at the end.
  bool TakeRequest(Request& request);
  void AnswerWhatWaits();
  void End(Ending ending);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::vector<StoredTask>> FindAll(const std::vector<TaskId>& tasks);
  // Adds the task to `found` if it is there.
  absl::Status Find(const TaskId& task, std::vector<StoredTask>& found);
  absl::StatusOr<EndedPage> FindPage(const EndedQuery& query);
  absl::Status Connect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(between_reads_);

  const std::string path_;
  std::thread thread_;

  absl::Mutex between_reads_;
  sqlite::Connection connection_ ABSL_GUARDED_BY(between_reads_);
  // After connection_: gone before it.
  sqlite::Statement select_ ABSL_GUARDED_BY(between_reads_);

  absl::Mutex mutex_;
  std::deque<Request> waiting_ ABSL_GUARDED_BY(mutex_);
  Ending ending_ ABSL_GUARDED_BY(mutex_) = Ending::kNone;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_SQLITE_READER_H_
