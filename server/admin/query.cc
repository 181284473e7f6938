#include "server/admin/query.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "runtime/switch/abseil_text.h"

namespace grove::admin {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Nothing where a '%' is not followed by two hexadecimal digits.
std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0) {
      return std::nullopt;
    }
    decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

}  // namespace

absl::StatusOr<Query> Query::Parse(std::string_view text, const std::vector<std::string>& names) {
  Query query;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.empty()) continue;
    const std::string_view name = part.substr(0, part.find('='));
    const auto value = Decode(part.substr(std::min(part.size(), name.size() + 1)));
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::InvalidArgumentError(
          names.empty() ? "this page takes no parameters"
                        : StrCat("unknown parameter; known here: ", absl::StrJoin(names, ", ")));
    }
    if (!value.has_value()) return absl::InvalidArgumentError(StrCat(name, ": a broken escape"));
    if (!query.values_.emplace(name, *value).second) {
      return absl::InvalidArgumentError(StrCat(name, ": stands twice"));
    }
  }
  return query;
}

std::string_view Query::Text(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string_view() : found->second;
}

absl::StatusOr<int64_t> Query::Number(std::string_view name, int64_t low, int64_t high,
                                      int64_t fallback) const {
  if (!has(name)) return fallback;
  int64_t number = 0;
  if (SimpleAtoi(Text(name), &number) && number >= low && number <= high) return number;
  return absl::InvalidArgumentError(StrCat(name, ": want ", low, " to ", high));
}

}  // namespace grove::admin
