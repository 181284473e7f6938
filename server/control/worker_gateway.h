// WorkerGateway: WorkerGatewayService.ConnectWorker, the streams of processes of others that run
// tasks.
//
// To the engine each is a worker with a number from kWorkersMax on. Each stream has a fiber, which
// takes one message and asks for the next once the engine has it and the disk keeps up. A process
// that says nothing for kSilenceMax is given up, as one whose connection ends: its attempts are
// interrupted at once. Hub thread only but for the methods' starts.
#ifndef GROVE_SERVER_CONTROL_WORKER_GATEWAY_H_
#define GROVE_SERVER_CONTROL_WORKER_GATEWAY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "grove/internal/v1/link.pb.h"
#include "grove/v1/worker_service.pb.h"
#include "server/control/admit.h"
#include "server/control/engine_driver.h"
#include "server/control/raw_service.h"

namespace grove::control {

// For the first message, and between any two.
inline constexpr absl::Duration kRegistrationMax = absl::Seconds(10);
inline constexpr absl::Duration kSilenceMax = absl::Seconds(30);
// A worker that takes no bytes while that much gathered is given up.
inline constexpr size_t kGatewayBacklogBytesMax = size_t{128} << 20;
// Of one tenant, of config::kGatewayWorkersMax in all.
inline constexpr int kTenantGatewayWorkersMax = 64;

class WorkerGateway {
 public:
  // All must outlive the gRPC server, and so must this.
  WorkerGateway(const GrpcContext& grpc, EngineDriver& driver, int64_t output_max_bytes);
  ~WorkerGateway();
  WorkerGateway(const WorkerGateway&) = delete;
  WorkerGateway& operator=(const WorkerGateway&) = delete;

  void AddMethods(RawService& service);

  // Dropped if there is no such worker: its next registration settles the difference.
  void Send(int32_t worker, internal::v1::ControlFrame frame);
  // By number.
  std::vector<v1::Worker> List() const;
  // No worker gets a further attempt: they are told so.
  void Drain();
  // Any thread: whatever is open ends now, with UNAVAILABLE, and no more is taken. What runs goes
  // on in its worker, which tells the next control.
  void EndAll();

 private:
  struct State;
  class Stream;

  // Shared with what was posted to the hub.
  std::shared_ptr<State> state_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_WORKER_GATEWAY_H_
