// HubWatch: says in the log which fiber holds this hub, and in what, for as long as it lives.
//
//   GROVE_ASSIGN_OR_RETURN(const auto watch, HubWatch::Start());
//
// A Watchdog (runtime/watch/watchdog.h) whose reports are lines of the log; a worker of a daemon
// has one of its own. Hub thread only.
#ifndef GROVE_SERVER_HUB_WATCH_H_
#define GROVE_SERVER_HUB_WATCH_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/watch/watchdog.h"

namespace grove {

class HubWatch {
 public:
  // Of the current hub, which must outlive it and be watched by no other; after any fork. Errors as
  // of Watchdog::Start().
  static absl::StatusOr<std::unique_ptr<HubWatch>> Start(
      absl::Duration threshold = WatchdogOptions().threshold);
  // Waits for a line that is being written.
  ~HubWatch() { watchdog_.Stop(); }
  HubWatch(const HubWatch&) = delete;
  HubWatch& operator=(const HubWatch&) = delete;

  StallStats stats() const { return watchdog_.stats(); }

 private:
  explicit HubWatch(absl::Duration threshold);

  Watchdog watchdog_;
};

// --- The lines. Any thread.

void LogStall(const StallReport& report);
void LogStallEnd(const StallEnd& end);

}  // namespace grove

#endif  // GROVE_SERVER_HUB_WATCH_H_
