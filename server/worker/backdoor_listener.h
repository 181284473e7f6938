// BackdoorListener: this worker's backdoor: as the config bounds it, its sessions published.
//
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_BACKDOOR_LISTENER_H_
#define GROVE_SERVER_WORKER_BACKDOOR_LISTENER_H_

#include "absl/status/status.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/io/listener.h"
#include "server/backdoor/backdoor_server.h"
#include "server/worker/publisher.h"

namespace grove::worker {

// Of a resolved config.
backdoor::BackdoorLimits BackdoorLimitsOf(const config::v1::Backdoor& config);

class BackdoorListener {
 public:
  // `publisher` is told the number of sessions; it must outlive this.
  BackdoorListener(const config::v1::Backdoor& config, backdoor::BackdoorEnvironment environment,
                   Publisher& publisher);

  // The body of a fiber: until cancelled, which ends the sessions too. **Parks.**
  absl::Status Run(Listener& listener) { return server_.Serve(listener); }

 private:
  backdoor::BackdoorServer server_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_BACKDOOR_LISTENER_H_
