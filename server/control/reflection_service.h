// Server reflection: which services control has, and the .proto files they are made of.
//
// Answers as gRPC's own implementation does, from the descriptors linked into this process, in both
// versions of the protocol, which differ in their names alone; gRPC 1.51 has v1alpha only.
// Answers on gRPC's threads. Any thread.
#ifndef GROVE_SERVER_CONTROL_REFLECTION_SERVICE_H_
#define GROVE_SERVER_CONTROL_REFLECTION_SERVICE_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "server/control/grpc_call.h"
#include "server/control/raw_service.h"

namespace grove::control {

// The longest question; its answer repeats it.
inline constexpr size_t kReflectionRequestBytesMax = 64 << 10;

// Pure. `services`: the full names of those that are served.
grpc::reflection::v1::ServerReflectionResponse Reflect(
    const grpc::reflection::v1::ServerReflectionRequest& request,
    absl::Span<const std::string> services);

void AddReflectionMethods(const GrpcContext& grpc, std::vector<std::string> services,
                          RawService& service);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_REFLECTION_SERVICE_H_
