// RunWorker: the life of a worker process.
//
// Puts hub, HTTP server, attempts, link, backdoor and periodic work together, serves until SIGTERM
// or the supervisor's end, drains, and returns the exit code.
#ifndef GROVE_SERVER_WORKER_WORKER_H_
#define GROVE_SERVER_WORKER_WORKER_H_

#include "grove/config/v1/config.pb.h"
#include "server/application.h"
#include "server/metrics/scoreboard.h"
#include "server/process/inheritance.h"

namespace grove::worker {

// In the forked process, which has one thread and SIGTERM blocked. The config is resolved.
int RunWorker(const process::WorkerInheritance& inheritance, const config::v1::Config& config,
              const Application& application, metrics::Scoreboard& scoreboard);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_WORKER_H_
