#include "server/http/handler/form_values.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> Decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i] == '+' ? ' ' : text[i]);
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

// Text of a client's for a message: it may hold anything.
std::string Printable(std::string_view text) {
  constexpr size_t kShownBytesMax = 64;
  std::string shown(text.substr(0, kShownBytesMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return !absl::ascii_isprint(c); }, '?');
  return shown;
}

absl::Status Bad(std::string_view name, std::string_view problem) {
  return absl::InvalidArgumentError(StrCat(Printable(name), ": ", problem));
}

}  // namespace

absl::StatusOr<FormValues> FormValues::Parse(std::string_view text) {
  FormValues form;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (form.values_.size() == kFormValuesMax) {
      return absl::InvalidArgumentError(StrCat("more than ", kFormValuesMax, " parameters"));
    }
    const size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = Decoded(pair.substr(0, equals));
    std::optional<std::string> value = Decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) return Bad(pair, "'%' without two hexadecimal digits");
    form.values_.emplace_back(*std::move(name), *std::move(value));
  }
  return form;
}

const std::string* FormValues::Find(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<std::string> FormValues::Get(std::string_view name) const {
  const std::string* found = Find(name);
  return found == nullptr ? std::nullopt : std::optional<std::string>(*found);
}

std::vector<std::string> FormValues::All(std::string_view name) const {
  std::vector<std::string> all;
  for (const auto& [key, value] : values_) {
    if (key == name) all.push_back(value);
  }
  return all;
}

absl::StatusOr<std::string> FormValues::Required(std::string_view name) const {
  const std::string* found = Find(name);
  if (found == nullptr || found->empty()) return Bad(name, "is required");
  return *found;
}

absl::StatusOr<int64_t> FormValues::Integer(std::string_view name, int64_t low, int64_t high,
                                            int64_t fallback) const {
  const std::string* found = Find(name);
  if (found == nullptr) return fallback;
  int64_t value = 0;
  if (!SimpleAtoi(*found, &value) || value < low || value > high) {
    return Bad(name, StrCat("'", Printable(*found), "' is no integer from ", low, " to ", high));
  }
  return value;
}

absl::StatusOr<double> FormValues::Number(std::string_view name, double low, double high,
                                          double fallback) const {
  const std::string* found = Find(name);
  if (found == nullptr) return fallback;
  double value = 0;
  // NaN compares false.
  if (!absl::SimpleAtod(*found, &value) || !(value >= low && value <= high)) {
    return Bad(name, StrCat("'", Printable(*found), "' is no number from ", low, " to ", high));
  }
  return value;
}

absl::StatusOr<bool> FormValues::Flag(std::string_view name) const {
  const std::string* found = Find(name);
  if (found == nullptr) return false;
  for (const char* yes : {"1", "true", "on", ""}) {
    if (*found == yes) return true;
  }
  for (const char* no : {"0", "false", "off"}) {
    if (*found == no) return false;
  }
  return Bad(name, StrCat("'", Printable(*found), "' is neither true nor false"));
}

absl::StatusOr<FormValues> QueryOf(const Request& request) {
  return FormValues::Parse(request.query);
}

absl::StatusOr<FormValues> ReadForm(Request& request, size_t bytes_max) {
  const std::string_view type = request.Get("Content-Type").value_or("");
  const std::string_view essence = type.substr(0, std::min(type.find(';'), type.size()));
  if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(Abseil(essence)),
                              "application/x-www-form-urlencoded")) {
    return absl::InvalidArgumentError(
        "want a form with Content-Type: application/x-www-form-urlencoded");
  }
  const absl::StatusOr<std::string> body = request.ReadWholeBody(bytes_max);
  if (!body.ok()) return body.status();
  return FormValues::Parse(*body);
}

}  // namespace grove::http
