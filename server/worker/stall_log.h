// RecordStall: what the watchdog reports, on the scoreboard, for who looks while the worker is
// still held.
//
// Any thread.
#ifndef GROVE_SERVER_WORKER_STALL_LOG_H_
#define GROVE_SERVER_WORKER_STALL_LOG_H_

#include "runtime/watch/watchdog.h"
#include "server/metrics/scoreboard.h"

namespace grove::worker {

void RecordStall(const StallReport& report, metrics::RecentStalls& stalls);
void RecordStallEnd(const StallEnd& end, metrics::RecentStalls& stalls);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_STALL_LOG_H_
