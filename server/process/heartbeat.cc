#include "server/process/heartbeat.h"

#include <algorithm>

#include "runtime/hub/hub.h"

namespace grove::process {

absl::Duration HeartbeatPeriod(absl::Duration stuck) {
  // Two fit, and no more than one wake-up in two seconds: an idle daemon costs nothing.
  return std::min(absl::Seconds(2), stuck * 2 / 5);
}

absl::Status Heartbeat(absl::Duration stuck) {
  absl::Status slept;
  while ((slept = Sleep(HeartbeatPeriod(stuck))).ok()) {
  }
  return slept;
}

}  // namespace grove::process
