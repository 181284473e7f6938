// Arrays of one dimension, from both forms that the server sends.
#include <optional>

#include "absl/strings/str_format.h"
#include "database/postgres/result.h"
#include "database/postgres/wire_numbers.h"

namespace grove::postgres {
namespace {

TypeId ElementOf(TypeId array) {
  switch (array) {
    case type_id::kBoolArray:
      return type_id::kBool;
    case type_id::kByteaArray:
      return type_id::kBytea;
    case type_id::kInt2Array:
      return type_id::kInt2;
    case type_id::kInt4Array:
      return type_id::kInt4;
    case type_id::kInt8Array:
      return type_id::kInt8;
    case type_id::kFloat4Array:
      return type_id::kFloat4;
    case type_id::kFloat8Array:
      return type_id::kFloat8;
    case type_id::kTimestampTzArray:
      return type_id::kTimestampTz;
    case 1115:  // timestamp[]
      return type_id::kTimestamp;
    case 1231:  // numeric[]
      return type_id::kNumeric;
    default:
      // Of texts, and of whatever has one.
      return type_id::kText;
  }
}

// array_send of the server: dimensions, flags, type; length and first index of each; elements.
std::optional<std::vector<Field>> BinaryElements(const Field& field) {
  std::string_view left = field.bytes;
  const auto next = [&left]() -> std::optional<uint32_t> {
    if (left.size() < sizeof(uint32_t)) return std::nullopt;
    const auto number = LoadBig<uint32_t>(left.data());
    left.remove_prefix(sizeof(uint32_t));
    return number;
  };
  const auto dimensions = next();
  const auto flags = next();
  const auto type = next();
  if (!dimensions || *dimensions > 1 || !flags || !type) return std::nullopt;
  std::vector<Field> elements;
  if (*dimensions == 0) return elements;
  const auto count = next();
  const auto first = next();
  if (!count || !first) return std::nullopt;
  for (uint32_t i = 0; i < *count; ++i) {
    const auto size = next();
    if (!size) return std::nullopt;
    Field element{.column = field.column, .type = *type, .binary = true};
    if (static_cast<int32_t>(*size) < 0) {
      element.null = true;
    } else {
      if (*size > left.size()) return std::nullopt;
      element.bytes = left.substr(0, *size);
      left.remove_prefix(*size);
    }
    elements.push_back(element);
  }
  return elements;
}

// One element of "{1,NULL,\"a \\\" b\"}", from `at` on; `quoted` says whether NULL is a text.
std::optional<std::string> TextElement(std::string_view text, size_t& at, bool& quoted) {
  std::string element;
  quoted = at < text.size() && text[at] == '"';
  if (quoted) ++at;
  for (; at < text.size(); ++at) {
    const char byte = text[at];
    if (byte == '\\') {
      if (++at == text.size()) return std::nullopt;
      element += text[at];
    } else if (quoted && byte == '"') {
      ++at;
      return element;
    } else if (!quoted && (byte == ',' || byte == '}')) {
      return element;
    } else if (!quoted && byte == '{') {
      return std::nullopt;  // a dimension more
    } else {
      element += byte;
    }
  }
  return std::nullopt;
}

std::optional<std::vector<Field>> TextElements(const Field& field,
                                               std::vector<std::string>& storage) {
  const std::string_view text = field.bytes;
  // "[0:1]={…}" has another first index: what of it is asked for are the elements.
  size_t at = text.starts_with('[') ? text.find('=') + 1 : 0;
  if (at >= text.size() || text[at] != '{') return std::nullopt;
  std::vector<bool> nulls;
  ++at;
  const bool none = at < text.size() && text[at] == '}';
  while (!none) {
    bool quoted = false;
    std::optional<std::string> element = TextElement(text, at, quoted);
    if (!element.has_value() || at >= text.size()) return std::nullopt;
    nulls.push_back(!quoted && *element == "NULL");
    storage.push_back(*std::move(element));
    if (text[at] == '}') break;
    if (text[at++] != ',') return std::nullopt;
  }
  if (at + 1 != text.size()) return std::nullopt;
  std::vector<Field> elements;
  for (size_t i = 0; i < storage.size(); ++i) {
    elements.push_back({.column = field.column,
                        .type = ElementOf(field.type),
                        .binary = false,
                        .null = nulls[i],
                        .bytes = nulls[i] ? std::string_view() : storage[i]});
  }
  return elements;
}

}  // namespace

absl::StatusOr<std::vector<Field>> ArrayElements(const Field& field,
                                                 std::vector<std::string>& storage) {
  if (field.null) return NullError(field);
  std::optional<std::vector<Field>> elements =
      field.binary ? BinaryElements(field) : TextElements(field, storage);
  if (elements.has_value()) return *std::move(elements);
  return absl::InvalidArgumentError(absl::StrFormat(
      "column \"%s\" (type %d): no array of one dimension", field.column, field.type));
}

}  // namespace grove::postgres
