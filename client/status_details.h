// Status details: what the server says about an error beyond its code and message.
//
// A call's google.rpc details travel as absl::Status payloads, keyed by their type URL, so that an
// absl::Status is all a caller needs. These functions put them in and take them out.

#ifndef GROVE_CLIENT_STATUS_DETAILS_H_
#define GROVE_CLIENT_STATUS_DETAILS_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace grove::client {

// Code, message and details of `status`; a code outside the canonical ones becomes UNKNOWN.
absl::Status ToAbslStatus(const google::rpc::Status& status);

// The other way round.
google::rpc::Status ToRpcStatus(const absl::Status& status);

// The reason a program switches on.
std::optional<google::rpc::ErrorInfo> ErrorInfoOf(const absl::Status& status);

// The fields that were wrong.
std::optional<google::rpc::BadRequest> BadRequestOf(const absl::Status& status);

// Takes them out.
void ClearBadRequest(absl::Status& status);

// The quota that was reached.
std::optional<google::rpc::QuotaFailure> QuotaFailureOf(const absl::Status& status);

// How long the server asks to wait before trying again.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

}  // namespace grove::client

#endif  // GROVE_CLIENT_STATUS_DETAILS_H_
