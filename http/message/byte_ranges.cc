#include "http/message/byte_ranges.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "http/message/field.h"
#include "http/message/scan.h"

namespace grove::http {
namespace {

constexpr std::string_view kUnit = "bytes";

// Saturates: a position beyond any file is as good as any other.
std::optional<uint64_t> ParsePosition(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  uint64_t number = 0;
  for (const char c : digits) {
    if (!IsDigit(c)) return std::nullopt;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
  }
  return number;
}

// Nothing if malformed; length 0 if it lies outside.
std::optional<ByteRange> ParseSpec(std::string_view spec, uint64_t size) {
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  const std::optional<uint64_t> last = ParsePosition(last_text);
  if (first_text.empty()) {
    if (!last) return std::nullopt;
    const uint64_t length = std::min(*last, size);
    return ByteRange{size - length, length};
  }
  const std::optional<uint64_t> first = ParsePosition(first_text);
  if (!first || (!last && !last_text.empty()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return ByteRange{};
  const uint64_t end = last && *last < size - 1 ? *last + 1 : size;
  return ByteRange{*first, end - *first};
}

}  // namespace

RangeRequest ParseRange(std::string_view field, uint64_t size) {
  // Content-Range has no way to say "all of nothing", which a suffix of it would be.
  if (size == 0) return {};
  field = TrimBlanks(field);
  if (field.size() <= kUnit.size() || !EqualsIgnoreCase(field.substr(0, kUnit.size()), kUnit) ||
      field[kUnit.size()] != '=') {
    return {};
  }
  field.remove_prefix(kUnit.size() + 1);
  std::vector<ByteRange> ranges;
  size_t specs = 0;
  uint64_t bytes = 0;
  while (!field.empty()) {
    const size_t comma = std::min(field.find(','), field.size());
    const std::string_view spec = TrimBlanks(field.substr(0, comma));
    field.remove_prefix(std::min(comma + 1, field.size()));
    if (spec.empty()) continue;  // RFC 9110, 5.6.1.2
    const std::optional<ByteRange> range = ParseSpec(spec, size);
    if (!range || ++specs > kByteRangesMax) return {};
    if (range->length == 0) continue;
    bytes += range->length;
    if (bytes > size) return {};
    ranges.push_back(*range);
  }
  if (specs == 0) return {};
  if (ranges.empty()) return {.kind = RangeRequest::Kind::kUnsatisfiable, .ranges = {}};
  return {.kind = RangeRequest::Kind::kPart, .ranges = std::move(ranges)};
}

std::string ContentRange(const ByteRange& range, uint64_t size) {
  return absl::StrCat("bytes ", range.first, "-", range.first + range.length - 1, "/", size);
}

std::string UnsatisfiedContentRange(uint64_t size) {
  return absl::StrCat("bytes */", size);
}

}  // namespace grove::http
