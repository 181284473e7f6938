// DebugApp: what the application tells of itself in each worker, as /debug/app shows it.
//
// Only their hubs know: of a worker that does not answer it is said why. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_DEBUG_APP_H_
#define GROVE_SERVER_CONTROL_DEBUG_APP_H_

#include "absl/status/statusor.h"
#include "server/admin/pages.h"
#include "server/control/debug_pages.h"

namespace grove::control {

// ?worker=0; ?name= and ?argument= ask for one value. Values worker by worker; commands, which are
// not run here, once. kInvalidArgument names the parameter. **Parks**, at most for kFibersTimeout.
absl::StatusOr<admin::Json> DebugApp(const DebugInput& input, const admin::Query& query);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_DEBUG_APP_H_
