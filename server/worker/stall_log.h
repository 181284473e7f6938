// LogStall, LogStallEnd: what the watchdog reports, as lines of the log.
//
// Any thread.
#ifndef GROVE_SERVER_WORKER_STALL_LOG_H_
#define GROVE_SERVER_WORKER_STALL_LOG_H_

#include "runtime/watch/watchdog.h"

namespace grove::worker {

void LogStall(const StallReport& report);
void LogStallEnd(const StallEnd& end);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_STALL_LOG_H_
