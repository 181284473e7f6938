// BackdoorService: a client's terminal in a live worker, carried between gRPC and its socket.
//
// One fiber per direction and session, one message under way in each: a side that is slow slows the
// other down, and nothing gathers in control.
#ifndef GROVE_SERVER_CONTROL_BACKDOOR_SERVICE_H_
#define GROVE_SERVER_CONTROL_BACKDOOR_SERVICE_H_

#include <string>

#include "absl/time/time.h"
#include "server/control/grpc_call.h"
#include "server/control/raw_service.h"
#include "server/metrics/scoreboard.h"

namespace grove::control {

// At once over all workers; each worker has its own limit besides (backdoor.sessions_max).
inline constexpr int kBackdoorSessionsMax = 64;
// For the worker to take the connection.
inline constexpr absl::Duration kBackdoorConnectTimeout = absl::Seconds(2);
// Read from the worker at once.
inline constexpr size_t kBackdoorPieceBytes = 16 << 10;

// The socket of worker N is RUN_DIR/worker-N.backdoor.
// `scoreboard` must outlive the server.
void AddBackdoorMethods(const GrpcContext& grpc, std::string run_dir,
                        const metrics::Scoreboard& scoreboard, RawService& service);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_BACKDOOR_SERVICE_H_
