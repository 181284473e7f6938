// EndedRows: the ended tasks of a database, as rows of an index of their own.
//
// The table `ended` has a small row for each task with an end; what few tasks differ in (tenant,
// queue, function and state: its kind) stands in `ended_kinds`, with the number of its tasks. So
// each filter is a set of kinds, each kind a range of an index, and no count is a scan. Written in
// the transactions of the tasks. One thread at a time.
#ifndef GROVE_SERVER_TASKS_ENDED_ROWS_H_
#define GROVE_SERVER_TASKS_ENDED_ROWS_H_

#include "absl/status/status.h"
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

  // In place of what was there of the task.
  absl::Status Put(const EndedRecord& task);
  // The task is gone, or has no end any more; nothing if it had none.
  absl::Status Remove(const TaskId& task);

 private:
  // Of the statement's first row; 0 if it has none.
  absl::Status Run(const sqlite::Statement& statement, int64_t* number = nullptr) const;

  const sqlite::Connection* connection_ = nullptr;
  sqlite::Statement put_;
  sqlite::Statement take_kind_;
  sqlite::Statement remove_;
  sqlite::Statement give_kind_;
  sqlite::Statement drop_kind_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENDED_ROWS_H_
