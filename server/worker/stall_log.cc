#include "server/worker/stall_log.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "server/log.h"
#include "server/metrics/stall_record.h"
#include "server/wall_time.h"

namespace grove::worker {

void LogStall(const StallReport& report) {
  // One line per event: the frames stand one after the other.
  std::string stack = FormatStackTrace(report.stack);
  if (!stack.empty()) stack.pop_back();
  stack = absl::StrReplaceAll(stack, {{"\n", " | "}});
  const int64_t held_ms = absl::ToInt64Milliseconds(report.held);
  if (!report.identified) {
    Log(LogLevel::kWarning, "a fiber holds the hub",
        {{"held_ms", held_ms}, {"call", report.call.ToString()}});
  } else if (report.fiber == 0) {
    Log(LogLevel::kWarning, "a call outside any fiber holds the hub",
        {{"held_ms", held_ms}, {"call", report.call.ToString()}, {"stack", stack}});
  } else {
    Log(LogLevel::kWarning, "a fiber holds the hub",
        {{"held_ms", held_ms},
         {"fiber", report.fiber},
         {"name", report.fiber_name},
         {"spawned_at", report.spawn_site},
         {"tenant", report.tenant},
         {"task", report.task},
         {"call", report.call.ToString()},
         {"stack", stack}});
  }
}

void LogStallEnd(const StallEnd& end) {
  Log(LogLevel::kWarning, "the hub turns again",
      {{"held_ms", absl::ToInt64Milliseconds(end.held)},
       {"fiber", end.fiber},
       {"name", end.fiber_name}});
}

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
