// JSON view: messages of the API as the documents that -o json and -o yaml print.
//
// Protobuf's JSON with the proto's field names and default values shown, changed in two ways: enum
// values lose their type's prefix ("SUCCEEDED"), and a task's input and output that are JSON stand
// parsed beside the base64 bytes
// ("input_json", "output_json").

#ifndef GROVE_CLIENT_CLI_JSON_VIEW_H_
#define GROVE_CLIENT_CLI_JSON_VIEW_H_

#include <nlohmann/json.hpp>
#include <string>

#include "google/protobuf/message.h"

namespace grove::client::cli {

nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

std::string RenderJson(const nlohmann::ordered_json& json);
// The same on one line.
std::string RenderJsonLine(const nlohmann::ordered_json& json);

std::string RenderYaml(const nlohmann::ordered_json& json);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_JSON_VIEW_H_
