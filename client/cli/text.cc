#include "client/cli/text.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

struct Character {
  uint32_t code = 0;
  // 0: no valid UTF-8 here.
  size_t bytes = 0;
};

Character Decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  uint32_t code = first & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {};
  return {code, length};
}

// Controls, line separators, and the marks that change the direction of what follows.
bool IsHarmful(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
         code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

void AppendEscaped(uint32_t code, std::string& out) {
  switch (code) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += code < 0x80 ? absl::StrFormat("\\x%02x", code) : absl::StrFormat("\\u%04x", code);
  }
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character character = Decode(text);
    if (character.bytes == 0) {
      out += absl::StrFormat("\\x%02x", static_cast<uint8_t>(text[0]));
    } else if (IsHarmful(character.code)) {
      AppendEscaped(character.code, out);
    } else {
      StrAppend(&out, text.substr(0, character.bytes));
    }
    text.remove_prefix(std::max<size_t>(1, character.bytes));
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = Decode(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string Cut(std::string_view text, size_t width) {
  if (Width(text) <= width) return std::string(text);
  std::string out;
  for (size_t taken = 0; taken + 1 < width; ++taken) {
    const size_t bytes = std::max<size_t>(1, Decode(text).bytes);
    StrAppend(&out, text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return out + "…";
}

std::string DurationText(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return StrCat("-", DurationText(-duration));
  if (duration < absl::Milliseconds(1)) {
    return StrCat(absl::ToInt64Microseconds(duration), "us");
  }
  if (duration < absl::Seconds(1)) return StrCat(absl::ToInt64Milliseconds(duration), "ms");
  if (duration < absl::Seconds(10)) {
    return absl::StrFormat(
        "%.2fs", absl::ToDoubleMilliseconds(absl::Trunc(duration, absl::Milliseconds(10))) / 1000);
  }
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 60) return StrCat(seconds, "s");
  if (seconds < 3600) return StrCat(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86400) return StrCat(seconds / 3600, "h", seconds / 60 % 60, "m");
  return StrCat(seconds / 86400, "d", seconds / 3600 % 24, "h");
}

std::string AgeText(const google::protobuf::Timestamp& time, absl::Time now) {
  if (time.seconds() == 0 && time.nanos() == 0) return "-";
  const absl::Duration age = now - ToTime(time);
  // A fraction of a second says nothing in an age, and clocks of two machines differ by that.
  if (absl::AbsDuration(age) < absl::Seconds(1)) return "now";
  const absl::Duration whole = absl::Trunc(absl::AbsDuration(age), absl::Seconds(1));
  const std::string text =
      whole < absl::Seconds(60) ? StrCat(absl::ToInt64Seconds(whole), "s") : DurationText(whole);
  return age > absl::ZeroDuration() ? StrCat(text, " ago") : StrCat("in ", text);
}

std::string BytesText(int64_t bytes) {
  if (bytes < 1024) return StrCat(bytes, " B");
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string ShortEnumName(const google::protobuf::EnumDescriptor& type, int number) {
  const auto* value = type.FindValueByNumber(number);
  if (value == nullptr) return StrCat(number);
  std::string prefix;
  for (const char c : type.name()) {
    if (std::isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  prefix += '_';
  return value->name().starts_with(prefix) ? value->name().substr(prefix.size()) : value->name();
}

}  // namespace grove::client::cli
