// RecentEvents: what a process of the daemon said last, on the scoreboard.
#ifndef GROVE_SERVER_METRICS_RECENT_EVENTS_H_
#define GROVE_SERVER_METRICS_RECENT_EVENTS_H_

#include "server/recent_lines.h"

namespace grove::metrics {

// A report of a hub's stall, as server/worker/stall_log.h writes it.
using RecentStalls = RecentLines<16 << 10>;

// What a process said last: kept when it dies, for whoever asks why.
struct alignas(64) RecentEvents {
  RecentLog log;
  RecentStalls stalls;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_RECENT_EVENTS_H_
