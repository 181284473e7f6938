// EndedSearch: the answer to an EndedQuery from the rows of a database.
//
// Reads no row twice and no more than the page, where the kinds that match are few; else it walks
// all ends and looks at kEndedLooksMax of them at most.
#ifndef GROVE_SERVER_TASKS_ENDED_SEARCH_H_
#define GROVE_SERVER_TASKS_ENDED_SEARCH_H_

#include "absl/status/statusor.h"
#include "server/sqlite/connection.h"
#include "server/tasks/ended_query.h"
#include "server/tasks/store.h"

namespace grove::tasks {

// Kinds that are merged: each costs a seek of some microseconds.
inline constexpr size_t kMergedKindsMax = 128;

absl::StatusOr<EndedPage> FindEnded(const sqlite::Connection& connection, const EndedQuery& query);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENDED_SEARCH_H_
