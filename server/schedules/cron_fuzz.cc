// libFuzzer target: the next time of a cron expression is the one that a plainer way finds, day
// by day, and is also the next one of the moment before it, wherever clocks are changed.
//
// The first four bytes say after when, the rest is the expression. `./dev fuzz` builds it, and runs
// it from the corpus in testdata/fuzz on.
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "server/schedules/cron.h"

namespace {

using grove::schedules::CronExpression;

// The plain way looks so far.
constexpr int kDays = 1000;

void Require(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", what, text.c_str());
  std::abort();
}

std::vector<std::string> Split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// Of a valid expression: numbers, and the names of months and days.
int ValueOf(const std::string& word, int first_name, const char* names) {
  if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) return std::stoi(word);
  std::string lower;
  for (const char c : word) lower += static_cast<char>(std::tolower(c));
  return first_name + static_cast<int>(std::strstr(names, lower.c_str()) - names) / 3;
}

std::set<int> ValuesOf(const std::string& field, int min, int max, const char* names) {
  std::set<int> values;
  for (const std::string& item : Split(field, ',')) {
    const std::vector<std::string> stepped = Split(item, '/');
    const int step = stepped.size() == 2 ? std::stoi(stepped[1]) : 1;
    const std::vector<std::string> ends = Split(stepped[0], '-');
    int first = min;
    int last = max;
    if (stepped[0] != "*") {
      first = ValueOf(ends.front(), min, names);
      last = ValueOf(ends.back(), min, names);
    }
    // A week may end with the day that it begins with.
    if (max == 7 && last == 0 && first > 0) last = 7;
    for (int value = first; value <= last; value += step) values.insert(value);
  }
  return values;
}

struct Plain {
  std::vector<std::string> fields;
  std::set<int> minutes, hours, days, months, weekdays;

  explicit Plain(std::vector<std::string> of)
      : fields(std::move(of)),
        minutes(ValuesOf(fields[0], 0, 59, "")),
        hours(ValuesOf(fields[1], 0, 23, "")),
        days(ValuesOf(fields[2], 1, 31, "")),
        months(ValuesOf(fields[3], 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec")),
        weekdays(ValuesOf(fields[4], 0, 7, "sunmontuewedthufrisat")) {}

  bool Has(absl::CivilDay day) const {
    if (months.count(day.month()) == 0) return false;
    // absl's week begins on Monday.
    const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
    const bool by_week = weekdays.count(weekday) + (weekday == 0 ? weekdays.count(7) : 0) > 0;
    const bool by_month = days.count(day.day()) > 0;
    const bool both_given = fields[2][0] != '*' && fields[4][0] != '*';
    return both_given ? by_week || by_month : by_week && by_month;
  }
  std::optional<absl::CivilMinute> NextFrom(absl::CivilMinute from) const {
    absl::CivilDay day(from);
    for (int i = 0; i < kDays; ++i, ++day) {
      if (!Has(day)) continue;
      for (const int hour : hours) {
        for (const int minute : minutes) {
          const absl::CivilMinute at(day.year(), day.month(), day.day(), hour, minute);
          if (at >= from) return at;
        }
      }
    }
    return std::nullopt;
  }
};

std::vector<std::string> FieldsOf(std::string text) {
  for (char& c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) c = ' ';
  }
  std::vector<std::string> fields;
  for (std::string& part : Split(text, ' ')) {
    if (!part.empty()) fields.push_back(std::move(part));
  }
  return fields;
}

void CheckNext(const CronExpression& cron, absl::Time after, const absl::TimeZone& zone,
               const std::string& text) {
  const std::optional<absl::Time> next = cron.NextAfter(after, zone);
  if (!next) return;
  Require(*next > after, "comes before it is asked for", text);
  Require(absl::ToUnixMicros(*next) % 60'000'000 == 0, "is no whole minute", text);
  const absl::Time before = *next - absl::Seconds(1);
  if (before < after) return;
  Require(cron.NextAfter(before, zone) == next, "is not the next one of just before", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  uint32_t seconds = 0;
  if (size < sizeof(seconds)) return 0;
  std::memcpy(&seconds, bytes, sizeof(seconds));
  const std::string text(reinterpret_cast<const char*>(bytes) + sizeof(seconds),
                         size - sizeof(seconds));
  const auto cron = CronExpression::Parse(text);
  if (!cron.ok()) return 0;
  const absl::Time after = absl::FromUnixSeconds(seconds);
  for (const char* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}) {
    absl::TimeZone zone;
    if (absl::LoadTimeZone(name, &zone)) CheckNext(*cron, after, zone, text);
  }
  const absl::TimeZone utc = absl::UTCTimeZone();
  CheckNext(*cron, after, utc, text);
  const std::vector<std::string> fields = FieldsOf(text);
  if (fields.size() != 5) return 0;  // "@daily"
  const std::optional<absl::CivilMinute> plainly =
      Plain(fields).NextFrom(absl::ToCivilMinute(after, utc) + 1);
  const std::optional<absl::Time> next = cron->NextAfter(after, utc);
  if (plainly) {
    Require(next == absl::FromCivil(*plainly, utc), "two ways differ", text);
  } else {
    Require(!next || *next > after + absl::Hours(24 * (kDays - 1)), "comes too soon", text);
  }
  return 0;
}
