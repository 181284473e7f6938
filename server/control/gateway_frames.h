// GatewayFrames: the messages of the worker gateway, as those of the link to a worker.
//
// To the engine a process at the gateway is a worker as the daemon's own are. What it says is
// checked here: of another tenant it can name nothing, and no field of it is believed that the
// daemon has better. Pure.
#ifndef GROVE_SERVER_CONTROL_GATEWAY_FRAMES_H_
#define GROVE_SERVER_CONTROL_GATEWAY_FRAMES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/internal/v1/link.pb.h"
#include "grove/v1/worker_gateway_service.pb.h"
#include "server/wall_time.h"

namespace grove::control {

inline constexpr int kGatewayFunctionsMax = 256;
inline constexpr int64_t kGatewayCapacityMax = 10'000;

// INVALID_ARGUMENT (REGISTRATION_INVALID), with what is wrong with which field.
absl::Status CheckRegistration(const v1::WorkerRegistration& registration, std::string_view tenant);

// Of a session: the same in every control, and never another tenant's.
uint64_t GatewayIncarnation(std::string_view tenant, std::string_view session);

// "00c3000000000007". nullopt: no attempt has that name.
std::string AttemptName(uint64_t attempt);
std::optional<uint64_t> AttemptOf(std::string_view name);

// The number in "workers/256"; nullopt: it is none.
std::optional<int32_t> WorkerNumber(std::string_view name);

struct GatewayWorker {
  int32_t number = 0;
  // Short name.
  std::string tenant;
  int64_t output_max_bytes = 0;
};

// Takes the results along. Requires CheckRegistration().
internal::v1::Hello HelloOf(v1::ConnectWorkerRequest&& first, const GatewayWorker& worker,
                            WallMicros now_us);
// What a later message says of attempts. What names no attempt is passed over: its worker is told
// nothing of it that it would wait for.
internal::v1::WorkerFrame FrameOf(v1::ConnectWorkerRequest&& request, const GatewayWorker& worker,
                                  WallMicros now_us);
// Adds to what is sent next.
void AddFrame(internal::v1::ControlFrame&& frame, std::string_view tenant,
              v1::ConnectWorkerResponse& response);
// The attempts that `sent` has begun.
internal::v1::WorkerFrame StartedOf(const v1::ConnectWorkerResponse& sent);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_GATEWAY_FRAMES_H_
