// How is a task a row of the table `tasks`?
//
// Statements and what is bound to and read from them. Pure, but for what sqlite3_step() does.
#ifndef GROVE_SERVER_TASKS_TASK_ROWS_H_
#define GROVE_SERVER_TASKS_TASK_ROWS_H_

#include <sqlite3.h>

#include <cstdint>
#include <string>

#include "server/tasks/held_writes.h"
#include "server/tasks/store.h"

namespace grove::tasks {

// 2: inputs in a column of their own. 3: an index of the ended tasks (ended_rows.h).
inline constexpr int64_t kSchemaVersion = 3;
extern const char kCreateTables[];
// To version 2; nothing is rewritten.
extern const char kMigrateFrom1[];

// Columns as DecodeRow() reads them.
extern const char kSelectTask[];
// Without an input that is longer than ?2.
extern const char kSelectShort[];
// In the order of the ids, without the inputs that are longer than ?1: all, and those that the
// function grove_leaves_out(id) lets pass.
extern const char kSelectAll[];
extern const char kSelectKept[];
// The bare ends: id, time and what its kind says.
extern const char kSelectBare[];
// Of the ended tasks: the ids of those before (?1, id ?2); times and ids; how many there are.
extern const char kSelectExpired[];
extern const char kSelectEnds[];
extern const char kCountEnds[];
// Parameters as BindChange() binds them, and the task's kind in the index of ended tasks, if it has
// one. An insert changes nothing where there is the task; an update, where it has another kind than
// kFormerKindParameter says.
inline constexpr int kKindParameter = 14;
inline constexpr int kFormerKindParameter = 15;
extern const char kInsertTask[];
extern const char kUpdateTask[];
extern const char kDeleteTask[];
extern const char kSelectKind[];

// Of queues: `tenant`, `queue`, `settings`.
extern const char kCreateQueues[];
extern const char kCountQueueTables[];
extern const char kSelectQueues[];
extern const char kReplaceQueue[];
extern const char kDeleteQueue[];

inline constexpr size_t kIdBytes = 16;

// As parameter `parameter` of a statement; copied.
void BindId(sqlite3_stmt* statement, int parameter, const TaskId& id);
// For the statement of its kind. The bytes stay the writes': they have to outlive the step.
void BindChange(sqlite3_stmt* statement, const TaskChange& change);

// For kReplaceQueue or kDeleteQueue.
void BindQueue(sqlite3_stmt* statement, const TaskChange& change);

std::string ColumnBytes(sqlite3_stmt* row, int column);
// kIdBytes of them.
TaskId IdFromBytes(const uint8_t* bytes);
// An id of another size than kIdBytes reads as 0.
TaskId DecodeId(sqlite3_stmt* row, int column);
StoredTask DecodeRow(sqlite3_stmt* row);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_TASK_ROWS_H_
