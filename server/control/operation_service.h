// OperationWatch: OperationService's stream, which follows one operation to its end.
#ifndef GROVE_SERVER_CONTROL_OPERATION_SERVICE_H_
#define GROVE_SERVER_CONTROL_OPERATION_SERVICE_H_

#include <memory>

#include "server/control/grpc_call.h"
#include "server/control/operation_calls.h"
#include "server/control/raw_service.h"

namespace grove::control {

// Each is held as long as its client likes.
inline constexpr int kOperationWatchesMax = 1'000;

// Hub thread only but for the method's start.
class OperationWatches {
 public:
  // All must outlive the gRPC server, and so must this.
  OperationWatches(const GrpcContext& grpc, OperationCalls& calls);
  ~OperationWatches();
  OperationWatches(const OperationWatches&) = delete;
  OperationWatches& operator=(const OperationWatches&) = delete;

  void AddMethods(RawService& service);
  // Any thread: ends them all with UNAVAILABLE, and takes no more: they would hold up control's
  // end.
  void EndAll();

 private:
  class Watch;
  struct State;

  // Shared with what was posted to the hub.
  std::shared_ptr<State> state_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_OPERATION_SERVICE_H_
