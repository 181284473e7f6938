// ExpandReferences: `${NAME}`, `${NAME:-default}` and `${file:PATH}` in a value of the config.
//
// The environment's variable, as shells have it (the default also where it is empty), or what the
// file holds without the line end at its end. `$${` is a literal `${`. What they hold is not
// expanded again.

#ifndef GROVE_SERVER_CONFIG_REFERENCE_H_
#define GROVE_SERVER_CONFIG_REFERENCE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace grove::config {

// Of a file, and of a value with all that it refers to.
inline constexpr size_t kReferencedBytesMax = 64 * 1024;

struct Expanded {
  std::string value;
  // Whether anything was looked up; `$${` is not.
  bool has_references = false;
};

// A relative PATH is below `folder`. Errors name the reference, and never what one holds.
absl::StatusOr<Expanded> ExpandReferences(const std::string& text, const std::string& folder);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_REFERENCE_H_
