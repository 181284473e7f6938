// ToRpcStatus, ToTrailerStatus: an absl::Status as google.rpc.Status, details included.
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

// Of the trailers that carry an error: what clients take by default, less what else is in them; and
// what those get at most that take more.
inline constexpr size_t kTrailerBytesDefault = 7'500;
inline constexpr size_t kTrailerBytesMax = size_t{128} << 10;

// With a short message, and as many of a BadRequest's violations as fit.
google::rpc::Status ToRpcStatus(const absl::Status& status);

// Whole, where it fits into so many bytes of trailers; else as above.
google::rpc::Status ToTrailerStatus(const absl::Status& status,
                                    size_t bytes_max = kTrailerBytesDefault);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_RPC_STATUS_H_
