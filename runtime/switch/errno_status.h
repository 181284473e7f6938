// ErrnoStatus: what the kernel refused, as a status.
//
// The one mapping of errno to canonical codes: a connection that the peer or the network ended is
// kUnavailable, a limit that was reached kResourceExhausted, the rest abseil's own mapping.
#ifndef GROVE_RUNTIME_SWITCH_ERRNO_STATUS_H_
#define GROVE_RUNTIME_SWITCH_ERRNO_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace grove {

// The canonical status for errno `error` of system call `call`.
absl::Status ErrnoStatus(int error, std::string_view call);

}  // namespace grove

#endif  // GROVE_RUNTIME_SWITCH_ERRNO_STATUS_H_
