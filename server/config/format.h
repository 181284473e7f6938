// FormatConfig: the config that the daemon runs with, as a config file.
//
// What it prints, read and resolved again, is the same config. No secret is in it: keys name files
// that hold some, a value that came from a reference (`${VAR}`, `${file:PATH}`) is printed as that
// reference, and what an application has declared as a secret as "***": that alone would be another
// value if it were read again.

#ifndef GROVE_SERVER_CONFIG_FORMAT_H_
#define GROVE_SERVER_CONFIG_FORMAT_H_

#include <map>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "grove/config/v1/config.pb.h"

namespace grove::config {

// Key with indices ("tenants[0].name") -> what stands in the file for its value, as written.
using References = std::map<std::string, std::string>;

struct FormatOptions {
  // Also what has its default.
  bool defaults = false;
  References references = {};
  // JSON, in one line, instead of YAML.
  bool json = false;
};

// YAML in the schema's order. `config` is resolved.
std::string FormatConfig(const config::v1::Config& config, const FormatOptions& options = {});

// In one line: the value of `field`, all of a list, or one element or entry of it. `key` is with
// indices where there are some.
std::string FormatValue(const google::protobuf::Message& message,
                        const google::protobuf::FieldDescriptor& field, const std::string& key,
                        const References& references);
std::string FormatEntry(const google::protobuf::Message& entry, const std::string& key,
                        const References& references);

// The value of a key that code has declared.
std::string FormatSetting(const config::v1::Setting& setting, const std::string& key,
                          const References& references);

// The type's fields, as the schema orders those of the section `key`.
std::vector<const google::protobuf::FieldDescriptor*> FieldsInOrder(
    const google::protobuf::Descriptor& type, const std::string& key);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_FORMAT_H_
