// SpecOf, DescribeOperation: operations as requests ask for them, and as those who watch are told.
#ifndef GROVE_SERVER_SUPERVISOR_OPERATION_REQUESTS_H_
#define GROVE_SERVER_SUPERVISOR_OPERATION_REQUESTS_H_

#include "absl/status/statusor.h"
#include "grove/internal/v1/supervision.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "runtime/hub/clock.h"
#include "server/supervisor/operations.h"
#include "server/wall_time.h"

namespace grove::supervisor {

// INVALID_ARGUMENT: what it asks for makes no sense, whatever the daemon does. UNIMPLEMENTED: it is
// no operation, or one of a newer build.
absl::StatusOr<OperationSpec> SpecOf(const internal::v1::OperationRequest& request);

// `now` and `wall_now` are the same moment. An error without a reason of its own gets one by the
// kind: "RESTART_FAILED".
v1::Operation DescribeOperation(const Operation& operation, MonotonicNanos now,
                                WallMicros wall_now);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_OPERATION_REQUESTS_H_
