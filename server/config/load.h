// LoadConfigFile, ParseConfig: a YAML text as grove.config.v1.Config.
//
// Keys are the schema's field names, enum values their short names in any case ("lifo"). What the
// schema does not know is an error with file, line, column and the path of the key, and so is a
// wrong type, a number out of its range, and a key that stands twice. Fills no defaults: Resolve()
// does, and checks what spans fields.

#ifndef GROVE_SERVER_CONFIG_LOAD_H_
#define GROVE_SERVER_CONFIG_LOAD_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"

namespace grove::config {

// Some ten thousand tenants; a file beyond is not a config file.
inline constexpr size_t kConfigFileBytesMax = size_t{1} << 20;
// The schema is five deep; what is deeper is an error anyway, so this bounds only the stack.
inline constexpr int kConfigDepthMax = 32;
// Keys and values with aliases expanded: a small file must not become gigabytes.
inline constexpr size_t kConfigExpandedBytesMax = size_t{4} << 20;

// An empty file is a config of defaults. kNotFound or kPermissionDenied when it cannot be read,
// else kInvalidArgument ("config.yaml:7:3: unknown key 'http.listn'; did you mean 'listen'?").
absl::StatusOr<config::v1::Config> LoadConfigFile(const std::string& path);

// `origin` names the text in errors.
absl::StatusOr<config::v1::Config> ParseConfig(std::string_view text, std::string_view origin);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_LOAD_H_
