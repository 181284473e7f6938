// BackdoorListener: admits backdoor sessions to this worker, up to a limit.
//
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_BACKDOOR_LISTENER_H_
#define GROVE_SERVER_WORKER_BACKDOOR_LISTENER_H_

#include "absl/status/status.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "server/backdoor/backdoor.h"
#include "server/worker/publisher.h"

namespace grove::worker {

class BackdoorListener {
 public:
  // `publisher` is told the number of sessions; it must outlive this.
  BackdoorListener(const config::v1::Backdoor& config, backdoor::BackdoorEnvironment environment,
                   Publisher& publisher);

  // The body of a fiber: until cancelled, which ends the sessions too. **Parks.**
  absl::Status Run(Listener& listener);

 private:
  // One connection: a session, or why it gets none.
  absl::Status Serve(Socket& socket);

  const backdoor::BackdoorLimits limits_;
  const int sessions_max_;
  const backdoor::BackdoorEnvironment environment_;
  Publisher& publisher_;
  int sessions_ = 0;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_BACKDOOR_LISTENER_H_
