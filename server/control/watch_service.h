// WatchStreams: TaskService.WatchTasks and QueueService.WatchQueue.
#ifndef GROVE_SERVER_CONTROL_WATCH_SERVICE_H_
#define GROVE_SERVER_CONTROL_WATCH_SERVICE_H_

#include <memory>

#include "server/control/admit.h"
#include "server/control/engine_driver.h"
#include "server/control/raw_service.h"

namespace grove::control {

// Hub thread only but for the methods' starts.
class WatchStreams {
 public:
  // All must outlive the gRPC server, and so must this. Before the driver runs.
  WatchStreams(const GrpcContext& grpc, EngineDriver& driver);
  ~WatchStreams();
  WatchStreams(const WatchStreams&) = delete;
  WatchStreams& operator=(const WatchStreams&) = delete;

  void AddMethods(RawService& service);
  // Any thread: ends them all with UNAVAILABLE, and takes no more: they would hold up control's
  // end.
  void EndAll();

 private:
  class Stream;
  class OfTasks;
  class OfQueues;
  struct State;

  // Shared with what was posted to the hub.
  std::shared_ptr<State> state_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_WATCH_SERVICE_H_
