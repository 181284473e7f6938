// LogStall, RecordStall: what the watchdog reports, as lines of the log and on the scoreboard.
//
// Any thread.
#ifndef GROVE_SERVER_WORKER_STALL_LOG_H_
#define GROVE_SERVER_WORKER_STALL_LOG_H_

#include "runtime/watch/watchdog.h"
#include "server/metrics/scoreboard.h"

namespace grove::worker {

void LogStall(const StallReport& report);
void LogStallEnd(const StallEnd& end);

// For who looks while the worker is still held.
void RecordStall(const StallReport& report, metrics::RecentStalls& stalls);
void RecordStallEnd(const StallEnd& end, metrics::RecentStalls& stalls);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_STALL_LOG_H_
