// DebugGreen: what blocking libraries called in GreenScopes of all workers, as /debug/green shows
// it.
//
// Only their hubs know: of a worker that does not answer it is said why. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_DEBUG_GREEN_H_
#define GROVE_SERVER_CONTROL_DEBUG_GREEN_H_

#include "absl/status/statusor.h"
#include "server/admin/pages.h"
#include "server/control/debug_pages.h"

namespace grove::control {

// ?worker=0, ?limit=. A row for each call site, all workers together: first those that held a hub
// (escaped, refused), the longest of them first, then the others by their counts. kInvalidArgument
// names the parameter. **Parks**, at most for kFibersTimeout.
absl::StatusOr<admin::Json> DebugGreen(const DebugInput& input, const admin::Query& query);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_DEBUG_GREEN_H_
