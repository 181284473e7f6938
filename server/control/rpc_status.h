// ToRpcStatus, FromRpcStatus: an absl::Status as google.rpc.Status, details included, and back.
//
// Payloads become details; an error without an ErrorInfo gets one that repeats its code, so that
// every error carries one. The whole is bounded: with the message once more beside it, as gRPC
// sends it, it stays below the 8 KiB of metadata that clients take by default.
#ifndef GROVE_SERVER_CONTROL_RPC_STATUS_H_
#define GROVE_SERVER_CONTROL_RPC_STATUS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace grove::control {

// Type URLs and values; further details are left out. Sent in base64, with the message in it
// (tasks::kMessageBytesMax); beside it the message, each byte of which may become three.
inline constexpr size_t kDetailBytesMax = 3'000;

google::rpc::Status ToRpcStatus(const absl::Status& status);

// Details become payloads.
absl::Status FromRpcStatus(const google::rpc::Status& rpc);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_RPC_STATUS_H_
