// RetryDelay: how long to wait before trying again, as a Status carries it.
//
// The payload is a google.rpc.RetryInfo, as in the refusals of the control plane, so that one
// Status says the same over gRPC (a detail) and over HTTP (Retry-After). Written and read here by
// hand, since the HTTP server links no protobuf. Pure.
#ifndef GROVE_SERVER_HTTP_HANDLER_RETRY_DELAY_H_
#define GROVE_SERVER_HTTP_HANDLER_RETRY_DELAY_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace grove::http {

// `status` with the delay, which must not be negative; cut to nanoseconds. Replaces an earlier one.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);
// Nothing if `status` carries none, or a malformed or negative one.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_HANDLER_RETRY_DELAY_H_
