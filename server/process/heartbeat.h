// Heartbeat: makes an idle hub turn now and then, so that a stuck one is told from it.
#ifndef GROVE_SERVER_PROCESS_HEARTBEAT_H_
#define GROVE_SERVER_PROCESS_HEARTBEAT_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace grove::process {

// Often enough that an idle hub is never taken for stuck, by those who say so after `stuck`.
absl::Duration HeartbeatPeriod(absl::Duration stuck);

// The body of a fiber: wakes once a period until cancelled, and returns that. **Parks.**
absl::Status Heartbeat(absl::Duration stuck);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_HEARTBEAT_H_
