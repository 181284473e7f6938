// FindControlBinary: where the program grove-control is.
#ifndef GROVE_SERVER_SUPERVISOR_CONTROL_BINARY_H_
#define GROVE_SERVER_SUPERVISOR_CONTROL_BINARY_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::supervisor {

// The executable to start: `wish` (--control_binary) if not empty, else "grove-control" beside
// `self` (the daemon's own path), in the folder above it, or in one of `search_path`'s (as PATH).
// kNotFound lists where it looked.
absl::StatusOr<std::string> FindControlBinary(std::string_view wish, std::string_view self,
                                              std::string_view search_path);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_CONTROL_BINARY_H_
