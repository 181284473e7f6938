// SpawnStreams: TaskService.SpawnTasks, a stream each way.
#ifndef GROVE_SERVER_CONTROL_SPAWN_SERVICE_H_
#define GROVE_SERVER_CONTROL_SPAWN_SERVICE_H_

#include <memory>

#include "server/control/admit.h"
#include "server/control/engine_driver.h"
#include "server/control/raw_service.h"

namespace grove::control {

// Each holds up to kUnansweredBytesMax of messages and as many answers.
inline constexpr int kSpawnStreamsMax = 256;
// Of one tenant.
inline constexpr int kTenantSpawnStreamsMax = 64;

// Hub thread only but for the method's start.
class SpawnStreams {
 public:
  // All must outlive the gRPC server, and so must this. Before the driver runs.
  SpawnStreams(const GrpcContext& grpc, EngineDriver& driver);
  ~SpawnStreams();
  SpawnStreams(const SpawnStreams&) = delete;
  SpawnStreams& operator=(const SpawnStreams&) = delete;

  void AddMethods(RawService& service);
  // The driver refuses spawns: streams answer what they have taken, and end.
  void Drain();
  // Any thread: whatever is left ends now, with UNAVAILABLE. After the last round.
  void EndAll();

 private:
  class Stream;
  struct State;

  // Shared with what was posted to the hub.
  std::shared_ptr<State> state_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SPAWN_SERVICE_H_
