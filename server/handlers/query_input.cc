#include "server/handlers/query_input.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::handlers {
namespace {

absl::Status BadParameter(std::string_view name, std::string_view problem) {
  return absl::InvalidArgumentError(absl::StrFormat("?%s: %s", name, problem));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Text of a client's for a message: it may hold anything.
std::string Printable(std::string_view text) {
  constexpr size_t kShownBytesMax = 64;
  std::string shown(text.substr(0, kShownBytesMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return !absl::ascii_isprint(c); }, '?');
  return shown;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  return decoded;
}

absl::StatusOr<QueryInput> QueryInput::Parse(std::string_view query,
                                             std::initializer_list<std::string_view> names) {
  QueryInput input;
  for (const std::string_view pair : StrSplit(query, '&', absl::SkipEmpty())) {
    const size_t equals = std::min(pair.find('='), pair.size());
    const std::optional<std::string> name = PercentDecode(pair.substr(0, equals));
    const size_t value_at = std::min(equals + 1, pair.size());
    std::optional<std::string> value = PercentDecode(pair.substr(value_at));
    if (!name || !value) {
      return BadParameter(Printable(pair), "'%' without two hexadecimal digits");
    }
    if (std::find(names.begin(), names.end(), *name) == names.end()) {
      std::vector<std::string> known(names.begin(), names.end());
      return BadParameter(Printable(*name), "unknown; known are: " + absl::StrJoin(known, ", "));
    }
    if (!input.values_.try_emplace(*name, *std::move(value)).second) {
      return BadParameter(*name, "stands twice");
    }
  }
  return input;
}

absl::StatusOr<int64_t> QueryInput::Integer(std::string_view name, int64_t low, int64_t high,
                                            int64_t fallback) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return fallback;
  int64_t value = 0;
  if (!SimpleAtoi(found->second, &value) || value < low || value > high) {
    return BadParameter(name, absl::StrFormat("'%s' is no integer from %d to %d",
                                              Printable(found->second), low, high));
  }
  return value;
}

absl::StatusOr<double> QueryInput::Number(std::string_view name, double low, double high,
                                          double fallback) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return fallback;
  double value = 0;
  // NaN compares false.
  if (!absl::SimpleAtod(found->second, &value) || !(value >= low && value <= high)) {
    return BadParameter(name, absl::StrFormat("'%s' is no number from %g to %g",
                                              Printable(found->second), low, high));
  }
  return value;
}

absl::StatusOr<bool> QueryInput::Flag(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second == "0" || found->second == "false") return false;
  if (found->second == "1" || found->second == "true") return true;
  return BadParameter(name, absl::StrFormat("'%s' is neither 1 nor 0", Printable(found->second)));
}

}  // namespace grove::handlers
