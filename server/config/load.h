// LoadConfigFile, ParseConfig: YAML texts as grove.config.v1.Config.
//
// Keys are the schema's field names, enum values their short names in any case ("lifo"). What the
// schema does not know is an error with file, line, column and the path of the key, and so is a
// wrong type, a number out of its range, and a key that stands twice. `include` reads more files,
// `${…}` in values what reference.h says. Fills no defaults: Resolve() does, and checks what spans
// fields.

#ifndef GROVE_SERVER_CONFIG_LOAD_H_
#define GROVE_SERVER_CONFIG_LOAD_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "server/config/problems.h"

namespace grove::config {

// Some ten thousand tenants; a file beyond is not a config file.
inline constexpr size_t kConfigFileBytesMax = size_t{1} << 20;
// The schema is five deep; what is deeper is an error anyway, so this bounds only the stack.
inline constexpr int kConfigDepthMax = 32;
// Keys and values of all files with aliases and references expanded: a small file must not become
// gigabytes.
inline constexpr size_t kConfigExpandedBytesMax = size_t{4} << 20;
// A file per tenant or site; a glob that finds more is of the wrong folder.
inline constexpr size_t kConfigFilesMax = 1'000;
// Of files that include files. Nobody follows more.
inline constexpr int kIncludeDepthMax = 8;

// What the file says, and what it includes: lists one behind the other, in the order in which the
// files are named, those of a pattern by name. The result's own `include` is empty. An empty file
// is a config of defaults. What is wrong goes to `problems` ("config.yaml:7:3: unknown key
// 'http.listn'; did you mean 'listen'?"), whose sources then know files, places and references.
config::v1::Config LoadConfigFile(const std::string& path, Problems* problems);
absl::StatusOr<config::v1::Config> LoadConfigFile(const std::string& path);

// `origin` names the text in errors. Includes nothing.
absl::StatusOr<config::v1::Config> ParseConfig(std::string_view text, std::string_view origin);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_LOAD_H_
