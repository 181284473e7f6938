// What the config says, as the parts of a worker take it.
#ifndef GROVE_SERVER_WORKER_OPTIONS_H_
#define GROVE_SERVER_WORKER_OPTIONS_H_

#include "grove/config/v1/config.pb.h"
#include "runtime/hub/hub.h"
#include "server/http/serving/server.h"
#include "server/worker/attempts.h"

namespace grove::worker {

AttemptLimits AttemptLimitsOf(const config::v1::Tasks& tasks);

HubOptions HubOptionsOf(const config::v1::Runtime& config);

// Failures of handlers and of connections go to the log, at levels that clients cannot fill it
// through.
http::ServerOptions HttpOptionsOf(const config::v1::Http& config);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_OPTIONS_H_
