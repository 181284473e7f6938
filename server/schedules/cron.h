// CronExpression: which minutes of the calendar a cron expression names.
//
// Five fields, as crontab(5) of vixie cron has them: minute, hour, day of month, month and day of
// week; ranges, lists, steps and names; @hourly to @yearly. Where both days are given (neither
// field begins with '*'), either is enough. Pure: knows no clock.
//
// Where clocks are changed, an expression whose hour field begins with '*' means hours that pass:
// it follows what the clock shows, twice where an hour comes twice. Any other means times of the
// day, each of which comes once: one that is left out comes when the clock jumps over it, several
// of them together, and one that comes twice is taken the first time.
#ifndef GROVE_SERVER_SCHEDULES_CRON_H_
#define GROVE_SERVER_SCHEDULES_CRON_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace grove::schedules {

// Beyond this many years an expression does not come: the 29th of February waits eight years at
// most, for a day of the week forty.
inline constexpr int kCronYearsMax = 50;
inline constexpr size_t kCronBytesMax = 255;

class CronExpression {
 public:
  // INVALID_ARGUMENT: which field, what is wrong with it, and what would be right.
  static absl::StatusOr<CronExpression> Parse(std::string_view text);

  // The first time after `after`, if there is any.
  std::optional<absl::Time> NextAfter(absl::Time after, const absl::TimeZone& zone) const;

 private:
  CronExpression() = default;

  // A bit for each value.
  struct Field {
    uint64_t bits = 0;
    bool begins_with_star = false;

    bool Has(int value) const { return (bits >> value & 1) != 0; }
    // -1: none from there on.
    int NextFrom(int value) const;
  };
  struct FieldRule;

  static absl::StatusOr<Field> ParseField(const FieldRule& rule, std::string_view text);
  bool MatchesDay(absl::CivilDay day) const;
  // The first minute from `from` on, up to kCronYearsMax after `from`.
  std::optional<absl::CivilMinute> NextFrom(absl::CivilMinute from) const;
  std::optional<absl::Time> NextTimeOfDay(absl::Time after, const absl::TimeZone& zone) const;
  std::optional<absl::Time> NextPassing(absl::Time after, const absl::TimeZone& zone) const;

  Field minutes_;
  Field hours_;
  Field days_;
  Field months_;
  Field weekdays_;  // 0: Sunday
};

}  // namespace grove::schedules

#endif  // GROVE_SERVER_SCHEDULES_CRON_H_
