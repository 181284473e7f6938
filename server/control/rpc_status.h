// ToRpcStatus: an absl::Status as google.rpc.Status, details included.
//
// Payloads become details; an error without an ErrorInfo gets one that repeats its code, so that
// every error carries one.
#ifndef GROVE_SERVER_CONTROL_RPC_STATUS_H_
#define GROVE_SERVER_CONTROL_RPC_STATUS_H_

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace grove::control {

google::rpc::Status ToRpcStatus(const absl::Status& status);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_RPC_STATUS_H_
