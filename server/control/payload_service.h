// PayloadStreams: PayloadService.WritePayload and ReadPayload, the bytes of payloads.
//
// Each stream has a fiber, which takes one message, writes it to the disk and asks for the next: a
// client is no faster than the disk, and a stream holds two messages. A client that says nothing,
// or reads nothing, for kPayloadIdleMax is given up.
#ifndef GROVE_SERVER_CONTROL_PAYLOAD_SERVICE_H_
#define GROVE_SERVER_CONTROL_PAYLOAD_SERVICE_H_

#include <memory>

#include "absl/time/time.h"
#include "server/control/admit.h"
#include "server/control/engine_driver.h"
#include "server/control/live_payloads.h"
#include "server/control/raw_service.h"

namespace grove::control {

// Writes and reads together; each holds up to two messages.
inline constexpr int kPayloadStreamsMax = 64;
// Of one tenant.
inline constexpr int kTenantPayloadStreamsMax = 16;
inline constexpr size_t kPayloadMessageBytesMax = 4 << 20;
inline constexpr size_t kPayloadPieceBytes = 256 << 10;
inline constexpr absl::Duration kPayloadIdleMax = absl::Minutes(1);

// Hub thread only but for the methods' starts.
class PayloadStreams {
 public:
  // All must outlive the gRPC server, and so must this.
  PayloadStreams(const GrpcContext& grpc, EngineDriver& driver, LivePayloads& payloads);
  ~PayloadStreams();
  PayloadStreams(const PayloadStreams&) = delete;
  PayloadStreams& operator=(const PayloadStreams&) = delete;

  void AddMethods(RawService& service);
  // Any thread: whatever is open ends now, with UNAVAILABLE, and no more is taken.
  void EndAll();

 private:
  struct State;
  class Stream;
  class Write;
  class Read;

  // Shared with what was posted to the hub.
  std::shared_ptr<State> state_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_PAYLOAD_SERVICE_H_
