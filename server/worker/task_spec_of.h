// TaskSpecOf: the spec that a spawn of the application's asks control for.
#ifndef GROVE_SERVER_WORKER_TASK_SPEC_OF_H_
#define GROVE_SERVER_WORKER_TASK_SPEC_OF_H_

#include "grove/v1/task_service.pb.h"
#include "server/task_client.h"

namespace grove::worker {

// Without a request_id, unless the request has one. Texts are made fit for a message.
void FillTaskSpec(SpawnRequest request, v1::TaskSpec* spec);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_TASK_SPEC_OF_H_
