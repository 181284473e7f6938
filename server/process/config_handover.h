// ConfigToMemfd, ConfigFromFd: the resolved config, from the supervisor to grove-control.
//
// A sealed memory file: control reads what the supervisor resolved, however the files changed
// since.

#ifndef GROVE_SERVER_PROCESS_CONFIG_HANDOVER_H_
#define GROVE_SERVER_PROCESS_CONFIG_HANDOVER_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"

namespace grove::process {

// A resolved config of the largest file, with room.
inline constexpr size_t kHandoverBytesMax = size_t{16} << 20;

// The caller owns the descriptor. It is close-on-exec and sealed against change; clear FD_CLOEXEC
// (or dup2) in the process that execs.
absl::StatusOr<int> ConfigToMemfd(const config::v1::Config& config);

// Reads from the start of `fd`, as often as wanted, and leaves it open.
absl::StatusOr<config::v1::Config> ConfigFromFd(int fd);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_CONFIG_HANDOVER_H_
