#include "http/client/set_cookie.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "http/message/field.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool IsControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

// "-5", "3600": nothing else.
std::optional<int64_t> Seconds(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  const std::string_view digits = text.substr(is_negative ? 1 : 0);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit)) {
    return std::nullopt;
  }
  int64_t number = 0;
  // One that is too large for a number is for ever.
  if (!SimpleAtoi(digits, &number)) number = INT64_MAX;
  return is_negative ? -1 : number;
}

void TakeAttribute(std::string_view name, std::string_view value, SetCookie& cookie) {
  if (EqualsIgnoreCase(name, "expires")) {
    if (const auto date = ParseCookieDate(value); date.has_value()) cookie.expires = date;
  } else if (EqualsIgnoreCase(name, "max-age")) {
    if (const auto seconds = Seconds(value); seconds.has_value()) {
      cookie.max_age = *seconds == INT64_MAX ? absl::InfiniteDuration() : absl::Seconds(*seconds);
    }
  } else if (EqualsIgnoreCase(name, "domain")) {
    if (value.starts_with('.')) value.remove_prefix(1);
    cookie.domain = absl::AsciiStrToLower(Abseil(value));
  } else if (EqualsIgnoreCase(name, "path")) {
    cookie.path = value.starts_with('/') ? std::string(value) : "";
  } else if (EqualsIgnoreCase(name, "secure")) {
    cookie.secure = true;
  }
}

// What a date says so far; -1: nothing yet.
struct DateParts {
  int hour = -1, minute = -1, second = -1;
  int day = -1, month = -1, year = -1;
};

// A number of `min` to `max` digits at the front, which is then gone; -1: there is none.
int TakeNumber(std::string_view& text, size_t min, size_t max) {
  size_t digits = 0;
  int number = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) {
    if (digits == max) return -1;
    number = number * 10 + (text[digits] - '0');
    ++digits;
  }
  if (digits < min) return -1;
  text.remove_prefix(digits);
  return number;
}

bool TakeTime(std::string_view token, DateParts& parts) {
  const int hour = TakeNumber(token, 1, 2);
  if (hour < 0 || !token.starts_with(':')) return false;
  token.remove_prefix(1);
  const int minute = TakeNumber(token, 1, 2);
  if (minute < 0 || !token.starts_with(':')) return false;
  token.remove_prefix(1);
  const int second = TakeNumber(token, 1, 2);
  if (second < 0) return false;
  parts.hour = hour;
  parts.minute = minute;
  parts.second = second;
  return true;
}

void TakeToken(std::string_view token, DateParts& parts) {
  if (parts.hour < 0 && TakeTime(token, parts)) return;
  std::string_view rest = token;
  if (const int day = parts.day < 0 ? TakeNumber(rest, 1, 2) : -1; day >= 0) {
    parts.day = day;
    return;
  }
  if (parts.month < 0 && token.size() >= 3) {
    const std::string name = absl::AsciiStrToLower(Abseil(token.substr(0, 3)));
    const auto found = std::find(kMonths.begin(), kMonths.end(), name);
    if (found != kMonths.end()) {
      parts.month = static_cast<int>(found - kMonths.begin()) + 1;
      return;
    }
  }
  rest = token;
  if (const int year = parts.year < 0 ? TakeNumber(rest, 2, 4) : -1; year >= 0) parts.year = year;
}

bool IsDelimiter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x09 || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40) ||
         (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

}  // namespace

std::optional<absl::Time> ParseCookieDate(std::string_view text) {
  DateParts parts;
  while (!text.empty()) {
    const auto* const end = std::find_if(text.begin(), text.end(), IsDelimiter);
    const std::string_view token = text.substr(0, static_cast<size_t>(end - text.begin()));
    if (!token.empty()) TakeToken(token, parts);
    text.remove_prefix(std::min(text.size(), token.size() + 1));
  }
  if (parts.year >= 70 && parts.year <= 99) parts.year += 1900;
  if (parts.year >= 0 && parts.year <= 69) parts.year += 2000;
  const bool is_whole = parts.hour >= 0 && parts.day >= 1 && parts.month >= 1 && parts.year >= 1601;
  if (!is_whole || parts.hour > 23 || parts.minute > 59 || parts.second > 59) return std::nullopt;
  const absl::CivilSecond civil(parts.year, parts.month, parts.day, parts.hour, parts.minute,
                                parts.second);
  // The thirtieth of February is another day.
  if (civil.day() != parts.day) return std::nullopt;
  return absl::FromCivil(civil, absl::UTCTimeZone());
}

std::optional<SetCookie> SetCookie::Parse(std::string_view field) {
  if (std::any_of(field.begin(), field.end(), IsControl)) return std::nullopt;
  const std::string_view pair = field.substr(0, field.find(';'));
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  SetCookie cookie;
  cookie.name = std::string(Trimmed(pair.substr(0, equals)));
  cookie.value = std::string(Trimmed(pair.substr(equals + 1)));
  if (cookie.name.empty()) return std::nullopt;
  if (cookie.name.size() + cookie.value.size() > kCookieBytesMax) return std::nullopt;
  field.remove_prefix(pair.size());
  while (!field.empty()) {
    field.remove_prefix(1);
    const std::string_view attribute = field.substr(0, field.find(';'));
    field.remove_prefix(attribute.size());
    const size_t at = std::min(attribute.find('='), attribute.size());
    const std::string_view value = Trimmed(attribute.substr(std::min(at + 1, attribute.size())));
    if (value.size() > kCookieAttributeBytesMax) continue;
    TakeAttribute(Trimmed(attribute.substr(0, at)), value, cookie);
  }
  return cookie;
}

}  // namespace grove::http
