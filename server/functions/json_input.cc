#include "server/functions/json_input.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace grove::functions {
namespace {

using nlohmann::json;

std::string Joined(std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

// Bytes of the UTF-8 sequence at the front (RFC 3629); 0 if it is none.
size_t SequenceBytes(std::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool beyond = first == 0xf4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

absl::Status BadInput(std::string_view field, std::string_view problem) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s", field, problem));
}

absl::StatusOr<json> ParseInput(std::string_view text,
                                std::initializer_list<std::string_view> fields) {
  if (text.empty()) return json::object();
  json input = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (input.is_discarded())
    return absl::InvalidArgumentError("input: no JSON that this function can use");
  if (!input.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("input: expected a JSON object, not %s", input.type_name()));
  }
  for (const auto& [key, value] : input.items()) {
    if (std::find(fields.begin(), fields.end(), key) != fields.end()) continue;
    return BadInput(JsonText(key), "unknown field; there are " + Joined(fields));
  }
  return input;
}

const json* FindField(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<std::string> StringField(const json& object, const char* name,
                                        std::string_view fallback) {
  const json* const value = FindField(object, name);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) {
    return BadInput(name, absl::StrFormat("expected a string, not %s", value->type_name()));
  }
  return value->get_ref<const std::string&>();
}

absl::StatusOr<std::string> RequiredString(const json& object, const char* name) {
  if (FindField(object, name) == nullptr) return BadInput(name, "missing");
  return StringField(object, name, "");
}

absl::StatusOr<double> NumberField(const json& object, const char* name, double low, double high,
                                   double fallback) {
  const json* const value = FindField(object, name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) {
    return BadInput(name, absl::StrFormat("expected a number, not %s", value->type_name()));
  }
  const double number = value->get<double>();
  if (number >= low && number <= high) return number;
  return BadInput(name, absl::StrFormat("%g is not between %g and %g", number, low, high));
}

std::string JsonText(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = SequenceBytes(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}  // namespace grove::functions
