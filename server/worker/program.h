// ProgramOf: what control is told of the code that runs in a worker: which program it is, and the
// schedules that it declares.
#ifndef GROVE_SERVER_WORKER_PROGRAM_H_
#define GROVE_SERVER_WORKER_PROGRAM_H_

#include "grove/internal/v1/link.pb.h"
#include "server/application.h"

namespace grove::worker {

internal::v1::Program ProgramOf(const Application& application);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_PROGRAM_H_
