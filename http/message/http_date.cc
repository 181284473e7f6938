#include "http/message/http_date.h"

#include <array>

#include "absl/strings/str_format.h"

namespace grove::http {
namespace {

// All times are GMT, whatever strptime(3) makes of the zone: it stands as a literal here.
struct Form {
  const char* format;
  bool short_year;
};
constexpr std::array<Form, 3> kForms = {{
    {"%a, %d %b %Y %H:%M:%S GMT", false},  // IMF-fixdate
    {"%A, %d-%b-%y %H:%M:%S GMT", true},   // rfc850-date
    {"%a %b %e %H:%M:%S %Y", false},       // asctime-date
}};
// The longest: "Wednesday, 09-Nov-94 08:49:37 GMT".
constexpr size_t kDateBytesMax = 33;
constexpr int kCenturyYears = 100;
constexpr int kFutureYearsMax = 50;

}  // namespace

std::string FormatHttpDate(std::time_t seconds) {
  // Not strftime(3): names of days and months must not depend on the locale.
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc;
  gmtime_r(&seconds, &utc);
  return absl::StrFormat("%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[utc.tm_wday], utc.tm_mday,
                         kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                         utc.tm_sec);
}

std::optional<std::time_t> ParseHttpDate(std::string_view text, std::time_t now) {
  if (text.size() > kDateBytesMax) return std::nullopt;
  const std::string copy(text);
  for (const Form& form : kForms) {
    std::tm parts{};
    const char* const end = strptime(copy.c_str(), form.format, &parts);
    if (end != copy.c_str() + copy.size()) continue;
    if (form.short_year) {
      // What seems more than 50 years in the future is of the past century.
      std::tm today{};
      gmtime_r(&now, &today);
      parts.tm_year = today.tm_year / kCenturyYears * kCenturyYears + parts.tm_year % kCenturyYears;
      if (parts.tm_year > today.tm_year + kFutureYearsMax) parts.tm_year -= kCenturyYears;
    }
    return timegm(&parts);
  }
  return std::nullopt;
}

}  // namespace grove::http
