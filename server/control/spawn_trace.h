// TakeTrace: a call's metadata `traceparent` and `tracestate` become its specs', where these say
// nothing. What is malformed counts as not there. gRPC's threads.
#ifndef GROVE_SERVER_CONTROL_SPAWN_TRACE_H_
#define GROVE_SERVER_CONTROL_SPAWN_TRACE_H_

#include "grove/v1/task_service.pb.h"
#include "server/control/admit.h"

namespace grove::control {

void TakeTrace(const CallMetadata& metadata, v1::SpawnTaskRequest& request);
void TakeTrace(const CallMetadata& metadata, v1::BatchSpawnTasksRequest& request);
// Of requests without specs.
template <typename Request>
void TakeTrace(const CallMetadata&, Request&) {}

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SPAWN_TRACE_H_
