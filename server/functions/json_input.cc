#include "server/functions/json_input.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "http/message/utf8.h"
#include "runtime/switch/abseil_text.h"

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

// What JSON wants escaped (RFC 8259, 7).
bool IsPlain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

// Eight of them. Where a byte is zero the lowest such is found without fail, by the borrow of a
// subtraction; above it there may be more than there are.
bool IsPlain(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  const auto below = [bytes](uint64_t limit) { return (bytes - kOnes * limit) & ~bytes & kHighs; };
  const auto has = [bytes](uint64_t c) {
    const uint64_t zeros = bytes ^ (kOnes * c);
    return (zeros - kOnes) & ~zeros & kHighs;
  };
  return (below(0x20) | has('"') | has('\\')) == 0;
}

size_t PlainBytes(std::string_view text) {
  size_t at = 0;
  for (uint64_t bytes = 0; at + sizeof(bytes) <= text.size(); at += sizeof(bytes)) {
    std::memcpy(&bytes, text.data() + at, sizeof(bytes));
    if (!IsPlain(bytes)) break;
  }
  while (at < text.size() && IsPlain(text[at])) ++at;
  return at;
}

void AppendEscaped(char c, std::string& to) {
  switch (c) {
    case '\b':
      to += "\\b";
      return;
    case '\f':
      to += "\\f";
      return;
    case '\n':
      to += "\\n";
      return;
    case '\r':
      to += "\\r";
      return;
    case '\t':
      to += "\\t";
      return;
    case '"':
    case '\\':
      to += {'\\', c};
      return;
    default:
      absl::StrAppendFormat(&to, "\\u%04x", c);
  }
}

void AppendQuoted(std::string_view text, std::string& to) {
  to += '"';
  while (!text.empty()) {
    const size_t plain = PlainBytes(text);
    to += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    AppendEscaped(text.front(), to);
    text.remove_prefix(1);
  }
  to += '"';
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

std::string JsonTextWith(std::string_view name, std::string_view text, const json& object) {
  const std::string rest = JsonText(object);
  std::string all = "{";
  // Escapes are seldom more than an eighth of a page; else it grows.
  all.reserve(text.size() + text.size() / 8 + name.size() + rest.size() + 8);
  AppendQuoted(name, all);
  all += ':';
  AppendQuoted(text, all);
  all += ',';
  all += std::string_view(rest).substr(1);
  return all;
}

std::string JsonTextWithBody(std::string_view body, const json& object) {
  if (http::IsUtf8(body)) return JsonTextWith("body", body, object);
  return JsonTextWith("body_base64", absl::Base64Escape(Abseil(body)), object);
}

}  // namespace grove::functions
