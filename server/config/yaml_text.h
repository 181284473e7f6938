// ReadYaml: the first document of a YAML text, and where a second one starts.
//
// One by one: YAML::LoadAll() finds documents without end in a text that goes on with what begins
// none, such as a lone ",".
#ifndef GROVE_SERVER_CONFIG_YAML_TEXT_H_
#define GROVE_SERVER_CONFIG_YAML_TEXT_H_

#include <optional>
#include <string>

#include "yaml-cpp/yaml.h"

namespace grove::config {

struct YamlText {
  YAML::Node document;  // null: there is nothing
  std::optional<YAML::Mark> second;
};

// Throws YAML::Exception.
YamlText ReadYaml(const std::string& text);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_YAML_TEXT_H_
