// DebugFibers, DebugStacks: the fibers of all workers and of control, as /debug shows them.
//
// Hub thread only.
#ifndef GROVE_SERVER_CONTROL_DEBUG_FIBERS_H_
#define GROVE_SERVER_CONTROL_DEBUG_FIBERS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/admin/pages.h"
#include "server/control/debug_pages.h"

namespace grove::control {

// ?worker=0|control, ?limit=, ?state=running|runnable|parked, ?tenant=; of these, where `own` is
// not empty, that tenant's alone. kInvalidArgument names the parameter. **Parks.**
absl::StatusOr<admin::Json> DebugFibers(const DebugInput& input, const admin::Query& query,
                                        std::string_view own = "");
// The same with stacks: fibers that stand alike make one row. One that runs in a stuck worker shows
// the stack of the worker's last report of a stall.
absl::StatusOr<admin::Json> DebugStacks(const DebugInput& input, const admin::Query& query);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_DEBUG_FIBERS_H_
