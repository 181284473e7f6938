// EndedSearch: the answer to an EndedQuery from the rows of a database.
//
// Costs a seek of some microseconds for each kind that matches, and two for each task of the page.
// Looks in vain, at kEndedLooksMax tasks at most, only where the time of the end excludes them in
// an order by creation.
#ifndef GROVE_SERVER_TASKS_ENDED_SEARCH_H_
#define GROVE_SERVER_TASKS_ENDED_SEARCH_H_

#include "absl/status/statusor.h"
#include "server/sqlite/connection.h"
#include "server/tasks/ended_query.h"
#include "server/tasks/store.h"

namespace grove::tasks {

absl::StatusOr<EndedPage> FindEnded(const sqlite::Connection& connection, const EndedQuery& query);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENDED_SEARCH_H_
