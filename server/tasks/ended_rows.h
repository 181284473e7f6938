// EndedRows: the ended tasks of a database, as rows of an index of their own.
//
// What few tasks differ in (tenant, queue, function and state: its kind) stands in `ended_kinds`,
// with the number of its tasks, and `ended` has a small row for each task, in the order of the ids
// and of the ends within its kind. So each filter is a set of kinds, each kind a range of an index,
// and no count is a scan. The kind of a task stands in its own row, too: by that it is found again
// when it goes. Written in the transactions of the tasks. One thread at a time.
#ifndef GROVE_SERVER_TASKS_ENDED_ROWS_H_
#define GROVE_SERVER_TASKS_ENDED_ROWS_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/sqlite/connection.h"
#include "server/tasks/ended_query.h"

namespace grove::tasks {

extern const char kCreateEnded[];
// Nothing, if they are not there.
extern const char kDropEnded[];

class EndedRows {
 public:
  // `connection` must outlive what is prepared: until Close().
  absl::Status Prepare(const sqlite::Connection& connection);
  void Close();

  // --- In a transaction

  // Of its tenant, queue, function, state and bareness; a new one, if there is none.
  absl::StatusOr<int64_t> KindOf(const EndedRecord& task);
  // Requires that it is in none.
  absl::Status Put(int64_t kind, const EndedPosition& task);
  absl::Status Remove(int64_t kind, const TaskId& task);
  // Before it is committed.
  absl::Status WriteCounts();

  // It was rolled back.
  void Forget();

 private:
  // The statement's first column, if it has a row.
  absl::Status Run(const sqlite::Statement& statement, int64_t* number = nullptr) const;

  const sqlite::Connection* connection_ = nullptr;
  sqlite::Statement take_kind_;
  sqlite::Statement put_;
  sqlite::Statement remove_;
  sqlite::Statement count_;
  sqlite::Statement drop_kind_;
  absl::flat_hash_map<std::string, int64_t> kinds_;
  // By how much they change.
  absl::flat_hash_map<int64_t, int64_t> counts_;
  std::string key_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENDED_ROWS_H_
