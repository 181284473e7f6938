// FindControlBinary: where the program grove-control is.
#ifndef GROVE_SERVER_SUPERVISOR_CONTROL_BINARY_H_
#define GROVE_SERVER_SUPERVISOR_CONTROL_BINARY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grove::supervisor {

// The executable to start: `wish` (--control_binary) if not empty, else "grove-control" beside
// `self` (the daemon's own path), in the folder above it, or in one of `search_path`'s (as PATH).
// kNotFound lists where it looked.
absl::StatusOr<std::string> FindControlBinary(absl::string_view wish, absl::string_view self,
                                              absl::string_view search_path);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_CONTROL_BINARY_H_
