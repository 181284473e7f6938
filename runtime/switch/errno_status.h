// ErrnoStatus, IsNotOffered: what the kernel refused.
//
// The one mapping of errno to canonical codes: a connection that the peer or the network ended is
// kUnavailable, a limit that was reached kResourceExhausted, the rest abseil's own mapping.
#ifndef GROVE_RUNTIME_SWITCH_ERRNO_STATUS_H_
#define GROVE_RUNTIME_SWITCH_ERRNO_STATUS_H_

#include <cerrno>
#include <string_view>

#include "absl/status/status.h"

namespace grove {

// The canonical status for errno `error` of system call `call`.
absl::Status ErrnoStatus(int error, std::string_view call);

// Whether `error` says that a system call is not to be had here: the kernel is older than it
// (ENOSYS), or a sandbox refuses what it does not know (EPERM: seccomp(2) filters of containers).
// Who has a fall-back takes it.
constexpr bool IsNotOffered(int error) {
  return error == ENOSYS || error == EPERM;
}

}  // namespace grove

#endif  // GROVE_RUNTIME_SWITCH_ERRNO_STATUS_H_
