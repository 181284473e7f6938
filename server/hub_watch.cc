#include "server/hub_watch.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "runtime/hub/hub.h"
#include "server/log.h"

namespace grove {

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

HubWatch::HubWatch(absl::Duration threshold)
    : watchdog_(*Hub::Current(),
                {.threshold = threshold, .on_stall = LogStall, .on_end = LogStallEnd}) {}

absl::StatusOr<std::unique_ptr<HubWatch>> HubWatch::Start(absl::Duration threshold) {
  std::unique_ptr<HubWatch> watch(new HubWatch(threshold));
  absl::Status started = watch->watchdog_.Start();
  if (!started.ok()) return started;
  return watch;
}

}  // namespace grove
