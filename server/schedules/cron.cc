#include "server/schedules/cron.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "runtime/switch/abseil_text.h"

namespace grove::schedules {
namespace {

constexpr size_t kQuotedMax = 60;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct Short {
  std::string_view name;
  std::string_view stands_for;
};
constexpr Short kShorts[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

std::string Quoted(std::string_view text) {
  return StrCat("\"", absl::CHexEscape(Abseil(text.substr(0, kQuotedMax))),
                text.size() > kQuotedMax ? "…" : "", "\"");
}

absl::Status Wrong(std::string_view problem) {
  return absl::InvalidArgumentError(Abseil(problem));
}

}  // namespace

struct CronExpression::FieldRule {
  std::string_view name;
  int min;
  int max;
  // Of the values from `min` on.
  absl::Span<const std::string_view> names;

  absl::Status Error(std::string_view text, std::string_view problem) const {
    return Wrong(StrCat("the ", name, " ", Quoted(text), " ", problem));
  }
  std::string Allowed() const {
    return StrCat(
        min, " to ", max, " are allowed",
        names.empty() ? std::string() : StrCat(", and ", names.front(), " to ", names.back()));
  }
  // -1: it is none.
  int Value(std::string_view text) const {
    for (size_t i = 0; i < names.size(); ++i) {
      if (absl::EqualsIgnoreCase(Abseil(names[i]), Abseil(text))) return min + static_cast<int>(i);
    }
    int value = -1;
    const bool digits = !text.empty() && text.size() <= 4 &&
                        std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
    if (!digits || !absl::SimpleAtoi(Abseil(text), &value)) return -1;
    return value >= min && value <= max ? value : -1;
  }
};

int CronExpression::Field::NextFrom(int value) const {
  if (value >= 64) return -1;
  const uint64_t left = bits >> value << value;
  return left == 0 ? -1 : std::countr_zero(left);
}

absl::StatusOr<CronExpression::Field> CronExpression::ParseField(const FieldRule& rule,
                                                                 std::string_view text) {
  Field field{.begins_with_star = text.starts_with('*')};
  for (std::string_view item : StrSplit(text, ',')) {
    std::string_view range = item.substr(0, item.find('/'));
    int step = 1;
    if (range.size() != item.size()) {
      const std::string_view number = item.substr(range.size() + 1);
      const bool is_number = !number.empty() && number.size() <= 4 &&
                             std::all_of(number.begin(), number.end(), absl::ascii_isdigit);
      if (!is_number || !absl::SimpleAtoi(Abseil(number), &step) || step < 1 || step > rule.max) {
        return rule.Error(item, StrCat("has a step that is no number from 1 to ", rule.max));
      }
    }
    int first = rule.min;
    int last = rule.max;
    if (range != "*") {
      const size_t dash = range.find('-');
      first = rule.Value(range.substr(0, dash));
      last = dash == range.npos ? first : rule.Value(range.substr(dash + 1));
      if (first < 0 || last < 0) {
        return rule.Error(item, StrCat("is no value, range or \"*\"; ", rule.Allowed()));
      }
      if (dash == range.npos && range.size() != item.size()) {
        return rule.Error(item, StrCat("steps from a single value; write a range, such as ", range,
                                       "-", rule.max, "/", step));
      }
      // "sat-sun": Sunday ends a week as well as it begins one.
      if (rule.max == 7 && last == 0 && first > 0) last = 7;
      if (first > last) return rule.Error(item, "is a range whose end is before its beginning");
    }
    for (int value = first; value <= last; value += step) field.bits |= uint64_t{1} << value;
  }
  return field;
}

absl::StatusOr<CronExpression> CronExpression::Parse(std::string_view text) {
  if (text.size() > kCronBytesMax) {
    return Wrong(StrCat("has ", text.size(), " bytes; at most ", kCronBytesMax, " are allowed"));
  }
  const std::string_view stripped = Std(absl::StripAsciiWhitespace(Abseil(text)));
  std::string_view fields = stripped;
  if (stripped.starts_with('@')) {
    const auto* const found =
        std::find_if(std::begin(kShorts), std::end(kShorts), [&](const Short& each) {
          return absl::EqualsIgnoreCase(Abseil(each.name), Abseil(fields));
        });
    if (found == std::end(kShorts)) {
      return Wrong(StrCat(Quoted(stripped),
                          " is none of @hourly, @daily, @midnight, @weekly, "
                          "@monthly, @yearly and @annually"));
    }
    fields = found->stands_for;
  }
  const std::string spaced = absl::StrReplaceAll(Abseil(fields), {{"\t", " "}});
  const auto parts = StrSplit(std::string_view(spaced), ' ', absl::SkipEmpty());
  if (parts.size() != 5) {
    return Wrong(StrCat(Quoted(stripped), " has ", parts.size(),
                        " fields; five are wanted: minute, hour, day of month, month and day of "
                        "week"));
  }
  const FieldRule rules[] = {{"minute", 0, 59, {}},
                             {"hour", 0, 23, {}},
                             {"day of month", 1, 31, {}},
                             {"month", 1, 12, kMonths},
                             {"day of week", 0, 7, kWeekdays}};
  CronExpression expression;
  Field* const parsed[] = {&expression.minutes_, &expression.hours_, &expression.days_,
                           &expression.months_, &expression.weekdays_};
  for (size_t i = 0; i < parts.size(); ++i) {
    auto field = ParseField(rules[i], parts[i]);
    if (!field.ok()) return field.status();
    *parsed[i] = *field;
  }
  Field& weekdays = expression.weekdays_;
  weekdays.bits = (weekdays.bits | weekdays.bits >> 7) & 0x7f;
  return expression;
}

bool CronExpression::MatchesDay(absl::CivilDay day) const {
  // absl counts from Monday.
  const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
  const bool by_month = days_.Has(day.day());
  const bool by_week = weekdays_.Has(weekday);
  const bool both_count = !days_.begins_with_star && !weekdays_.begins_with_star;
  return both_count ? by_month || by_week : by_month && by_week;
}

std::optional<absl::CivilMinute> CronExpression::NextFrom(absl::CivilMinute from) const {
  const absl::CivilMonth last(from.year() + kCronYearsMax, from.month());
  for (absl::CivilMonth month(from); month <= last; ++month) {
    if (!months_.Has(month.month())) continue;
    const absl::CivilDay end(month + 1);
    for (absl::CivilDay day = std::max(absl::CivilDay(month), absl::CivilDay(from)); day < end;
         ++day) {
      if (!MatchesDay(day)) continue;
      const absl::CivilMinute start = std::max(absl::CivilMinute(day), from);
      int hour = hours_.NextFrom(start.hour());
      int minute = minutes_.NextFrom(hour == start.hour() ? start.minute() : 0);
      if (hour >= 0 && minute < 0) {
        hour = hours_.NextFrom(hour + 1);
        minute = minutes_.NextFrom(0);
      }
      if (hour >= 0) {
        return absl::CivilMinute(day.year(), day.month(), day.day(), hour, minute);
      }
    }
  }
  return std::nullopt;
}

std::optional<absl::Time> CronExpression::NextAfter(absl::Time after,
                                                    const absl::TimeZone& zone) const {
  return hours_.begins_with_star ? NextPassing(after, zone) : NextTimeOfDay(after, zone);
}

std::optional<absl::Time> CronExpression::NextTimeOfDay(absl::Time after,
                                                        const absl::TimeZone& zone) const {
  absl::CivilMinute from(absl::CivilMinute(zone.At(after).cs));
  for (;;) {
    const auto found = NextFrom(from);
    if (!found) return std::nullopt;
    // One that is skipped comes at the jump; of one that comes twice, `pre` is the first.
    const auto at = zone.At(absl::CivilSecond(*found));
    const absl::Time time = at.kind == absl::TimeZone::TimeInfo::SKIPPED ? at.trans : at.pre;
    if (time > after) return time;
    from = *found + 1;
  }
}

std::optional<absl::Time> CronExpression::NextPassing(absl::Time after,
                                                      const absl::TimeZone& zone) const {
  // From change to change of the clocks: in between, minutes are minutes.
  absl::CivilSecond shown = zone.At(after).cs;
  absl::CivilMinute from = absl::CivilMinute(shown) + 1;
  absl::Time begin = absl::FromUnixSeconds(absl::ToUnixSeconds(after));
  const absl::CivilYear last = absl::CivilYear(shown) + kCronYearsMax;
  for (;;) {
    const auto found = NextFrom(from);
    if (!found || absl::CivilYear(*found) > last) return std::nullopt;
    const absl::Time time = begin + absl::Seconds(absl::CivilSecond(*found) - shown);
    absl::TimeZone::CivilTransition change;
    if (!zone.NextTransition(begin, &change)) return time;
    const absl::Time changed = zone.At(change.to).trans;
    if (time < changed) return time;
    begin = changed;
    shown = change.to;
    from = absl::CivilMinute(shown);
    if (absl::CivilSecond(from) < shown) ++from;
  }
}

}  // namespace grove::schedules
