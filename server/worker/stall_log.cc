#include "server/worker/stall_log.h"

#include "server/metrics/stall_record.h"
#include "server/wall_time.h"

namespace grove::worker {

void RecordStall(const StallReport& report, metrics::RecentStalls& stalls) {
  const metrics::StallRecord record{.held_ms = absl::ToInt64Milliseconds(report.held),
                                    .fiber = report.fiber,
                                    .name = report.fiber_name,
                                    .spawned_at = report.spawn_site,
                                    .tenant = report.tenant,
                                    .task = report.task,
                                    .call = report.call.ToString(),
                                    .stack = FormatFrames(report.stack)};
  stalls.Append(WallNow(), 0, metrics::EncodeStall(record));
}

void RecordStallEnd(const StallEnd& end, metrics::RecentStalls& stalls) {
  const metrics::StallRecord record{.held_ms = absl::ToInt64Milliseconds(end.held),
                                    .ended = true,
                                    .fiber = end.fiber,
                                    .name = end.fiber_name};
  stalls.Append(WallNow(), 0, metrics::EncodeStall(record));
}

}  // namespace grove::worker
