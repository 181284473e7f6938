// EndedMigration: the index of ended tasks for a database that has none yet (schema version 2).
#ifndef GROVE_SERVER_TASKS_ENDED_MIGRATION_H_
#define GROVE_SERVER_TASKS_ENDED_MIGRATION_H_

#include <string>

#include "absl/status/status.h"
#include "server/sqlite/connection.h"

namespace grove::tasks {

// Makes the tables of ended_rows.h, enters what `tasks` has of ended ones, some thousands in a
// transaction, and sets the schema's version with the last of them: after a death in between it
// begins anew. Says in the log how far it is when it takes long. `path` is for the log.
absl::Status IndexEndedTasks(const sqlite::Connection& connection, const std::string& path);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENDED_MIGRATION_H_
