// Audience: what an error says to whom.
//
// How full the daemon is as a whole is the operators' business: from its numbers a tenant could
// read what others do. It gets the same code, reason and time to wait, and a text without them.
// Pure.
#ifndef GROVE_SERVER_CONTROL_AUDIENCE_H_
#define GROVE_SERVER_CONTROL_AUDIENCE_H_

#include "absl/status/status.h"
#include "server/tenancy/principal.h"

namespace grove::control {

absl::Status ForAudience(const tenancy::Principal& caller, const absl::Status& status);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_AUDIENCE_H_
