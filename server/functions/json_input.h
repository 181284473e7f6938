// JsonInput: checked access to the JSON object that a function takes.
//
// Refuses what is missing, of the wrong type, out of range or unknown, naming the field. Throws
// nothing. A value; any thread.
#ifndef GROVE_SERVER_FUNCTIONS_JSON_INPUT_H_
#define GROVE_SERVER_FUNCTIONS_JSON_INPUT_H_

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::functions {

// kInvalidArgument: "url: expected a string".
absl::Status BadInput(std::string_view field, std::string_view problem);

// An object whose keys are all in `fields`. Empty text counts as {}.
absl::StatusOr<nlohmann::json> ParseInput(std::string_view text,
                                          std::initializer_list<std::string_view> fields);

// Null where an optional field is absent.
const nlohmann::json* FindField(const nlohmann::json& object, const char* name);
// `fallback` where the field is absent.
absl::StatusOr<std::string> StringField(const nlohmann::json& object, const char* name,
                                        std::string_view fallback);
absl::StatusOr<std::string> RequiredString(const nlohmann::json& object, const char* name);
absl::StatusOr<double> NumberField(const nlohmann::json& object, const char* name, double low,
                                   double high, double fallback);

// As text; invalid UTF-8 becomes U+FFFD.
std::string JsonText(const nlohmann::json& value);
// The same of `object` and a first member `name`, whose text may be long: what needs no escapes is
// copied eight bytes at a time. Requires: UTF-8, and a member of `object`.
std::string JsonTextWith(std::string_view name, std::string_view text,
                         const nlohmann::json& object);
// {"body": …} or {"body_base64": …}, and the members of `object`.
std::string JsonTextWithBody(std::string_view body, const nlohmann::json& object);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_JSON_INPUT_H_
