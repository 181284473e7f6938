#include "server/schedules/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/switch/abseil_text.h"

namespace grove::schedules {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

absl::TimeZone Zone(const std::string& name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone)) << name;
  return zone;
}

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << text << ": " << error;
  return time;
}

std::vector<std::string> Next(const std::string& text, const absl::TimeZone& zone,
                              const std::string& after, size_t count) {
  const auto cron = CronExpression::Parse(text);
  EXPECT_TRUE(cron.ok()) << text << ": " << cron.status();
  std::vector<std::string> times;
  absl::Time last = At(after);
  while (cron.ok() && times.size() < count) {
    const auto next = cron->NextAfter(last, zone);
    if (!next) break;
    times.push_back(absl::FormatTime("%Y-%m-%dT%H:%M:%S%Ez", *next, zone));
    last = *next;
  }
  return times;
}

struct Case {
  const char* why;
  const char* text;
  const char* after;
  std::vector<std::string> times;
};

void PrintTo(const Case& each, std::ostream* out) {
  *out << each.why;
}

class CronUtcTest : public ::testing::TestWithParam<Case> {};

TEST_P(CronUtcTest, NamesTheseTimes) {
  const Case& each = GetParam();
  std::vector<std::string> times;
  for (const std::string& time : each.times) times.push_back(time + ":00+00:00");
  EXPECT_THAT(Next(each.text, absl::UTCTimeZone(), std::string(each.after) + "Z", times.size()),
              ElementsAreArray(times))
      << each.text;
}

INSTANTIATE_TEST_SUITE_P(
    Fields, CronUtcTest,
    ::testing::Values(
        Case{"every minute, after a whole one",
             "* * * * *",
             "2026-11-29T10:00:00",
             {"2026-11-29T10:01", "2026-11-29T10:02"}},
        Case{"every minute, within one",
             "* * * * *",
             "2026-11-29T10:00:59.999",
             {"2026-11-29T10:01"}},
        Case{"one time a day",
             "30 3 * * *",
             "2026-11-29T03:29:59",
             {"2026-11-29T03:30", "2026-11-30T03:30"}},
        Case{"a time itself is over", "30 3 * * *", "2026-11-29T03:30:00", {"2026-11-30T03:30"}},
        Case{"a list and a range",
             "0 8-10,20 * * *",
             "2026-01-01T00:00:00",
             {"2026-01-01T08:00", "2026-01-01T09:00", "2026-01-01T10:00", "2026-01-01T20:00",
              "2026-01-02T08:00"}},
        Case{"steps of all",
             "*/25 1 * * *",
             "2026-01-01T00:00:00",
             {"2026-01-01T01:00", "2026-01-01T01:25", "2026-01-01T01:50", "2026-01-02T01:00"}},
        Case{"steps of a range",
             "10-40/15 1 * * *",
             "2026-01-01T00:00:00",
             {"2026-01-01T01:10", "2026-01-01T01:25", "2026-01-01T01:40", "2026-01-02T01:10"}},
        Case{"several blanks and a tab",
             "  5\t 4   * * * ",
             "2026-01-01T00:00:00",
             {"2026-01-01T04:05"}},
        Case{"an hour that is over, a minute that is not",
             "5,50 4,6 * * *",
             "2026-01-01T04:50:00",
             {"2026-01-01T06:05", "2026-01-01T06:50", "2026-01-02T04:05"}},
        Case{"months by name",
             "0 0 1 feb,Aug *",
             "2026-01-01T00:00:00",
             {"2026-02-01T00:00", "2026-08-01T00:00", "2027-02-01T00:00"}},
        Case{"a range of names",
             "0 9 * * mon-fri",
             "2026-11-27T10:00:00",
             {"2026-11-30T09:00", "2026-12-01T09:00"}},
        Case{"Sunday as 0", "0 9 * * 0", "2026-11-27T10:00:00", {"2026-11-29T09:00"}},
        Case{"Sunday as 7", "0 9 * * 7", "2026-11-27T10:00:00", {"2026-11-29T09:00"}},
        Case{"Sunday at the end of a week",
             "0 9 * * sat-sun",
             "2026-11-27T10:00:00",
             {"2026-11-28T09:00", "2026-11-29T09:00", "2026-12-05T09:00"}},
        Case{"the last of December",
             "59 23 31 12 *",
             "2026-12-31T23:58:59",
             {"2026-12-31T23:59", "2027-12-31T23:59"}}));

INSTANTIATE_TEST_SUITE_P(
    Days, CronUtcTest,
    ::testing::Values(
        Case{"either day, where both are given",
             "0 0 13 * fri",
             "2026-11-01T00:00:00",
             {"2026-11-06T00:00", "2026-11-13T00:00", "2026-11-20T00:00", "2026-11-27T00:00",
              "2026-12-04T00:00", "2026-12-11T00:00", "2026-12-13T00:00"}},
        Case{"both days, where one begins with a star",
             "0 0 */2 * mon",
             "2026-11-01T00:00:00",
             {"2026-11-09T00:00", "2026-11-23T00:00", "2026-12-07T00:00"}},
        Case{"the day of the month alone",
             "0 0 31 * *",
             "2026-01-31T00:00:00",
             {"2026-03-31T00:00", "2026-05-31T00:00", "2026-07-31T00:00"}},
        Case{"a leap year",
             "0 0 29 2 *",
             "2026-01-01T00:00:00",
             {"2028-02-29T00:00", "2032-02-29T00:00"}},
        Case{"a century that is none", "0 0 29 2 *", "2096-03-01T00:00:00", {"2104-02-29T00:00"}},
        Case{"the 29th of February on a Sunday",
             "0 0 */28 2 sun",
             "2026-01-01T00:00:00",
             {"2026-02-01T00:00", "2032-02-01T00:00", "2032-02-29T00:00"}}));

INSTANTIATE_TEST_SUITE_P(
    Shorts, CronUtcTest,
    ::testing::Values(
        Case{"hourly", "@hourly", "2026-12-31T22:30:00", {"2026-12-31T23:00", "2027-01-01T00:00"}},
        Case{"daily", "@daily", "2026-11-29T10:00:00", {"2026-11-30T00:00", "2026-12-01T00:00"}},
        Case{"midnight", "@Midnight", "2026-11-29T10:00:00", {"2026-11-30T00:00"}},
        Case{"weekly", "@weekly", "2026-11-29T00:00:00", {"2026-12-06T00:00"}},
        Case{"monthly", "@monthly", "2026-11-29T10:00:00", {"2026-12-01T00:00"}},
        Case{"yearly", "@yearly", "2026-11-29T10:00:00", {"2027-01-01T00:00"}},
        Case{"annually", "@annually", "2026-11-29T10:00:00", {"2027-01-01T00:00"}}));

// --- Where clocks are changed: Berlin on 2026-03-29 from 2:00 to 3:00, on 2026-10-25 back from
// 3:00

TEST(CronZoneTest, ATimeThatIsLeftOutComesOnceAtTheJump) {
  EXPECT_THAT(Next("30 2 * * *", Zone("Europe/Berlin"), "2026-03-28T12:00:00Z", 2),
              ElementsAreArray({"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}));
}

TEST(CronZoneTest, SeveralThatAreLeftOutComeTogether) {
  EXPECT_THAT(Next("*/10 2 * * *", Zone("Europe/Berlin"), "2026-03-28T01:45:00Z", 3),
              ElementsAreArray({"2026-03-28T02:50:00+01:00", "2026-03-29T03:00:00+02:00",
                                "2026-03-30T02:00:00+02:00"}));
}

TEST(CronZoneTest, ATimeThatIsLeftOutAndTheJumpsOwnAreOne) {
  EXPECT_THAT(Next("0,30 2,3 * * *", Zone("Europe/Berlin"), "2026-03-28T12:00:00Z", 3),
              ElementsAreArray({"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00",
                                "2026-03-30T02:00:00+02:00"}));
}

TEST(CronZoneTest, ATimeThatComesTwiceIsTakenTheFirstTime) {
  EXPECT_THAT(Next("30 2 * * *", Zone("Europe/Berlin"), "2026-10-24T12:00:00Z", 2),
              ElementsAreArray({"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}));
  // From the second time on: it is over.
  EXPECT_THAT(Next("30 2 * * *", Zone("Europe/Berlin"), "2026-10-25T01:10:00Z", 1),
              ElementsAreArray({"2026-10-26T02:30:00+01:00"}));
}

TEST(CronZoneTest, EachMinuteOfAnHourThatComesTwiceIsTakenOnce) {
  const std::vector<std::string> times =
      Next("*/30 2 * * *", Zone("Europe/Berlin"), "2026-10-24T12:00:00Z", 3);
  EXPECT_THAT(times, ElementsAreArray({"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00",
                                       "2026-10-26T02:00:00+01:00"}));
}

TEST(CronZoneTest, HoursThatPassAreFollowedThroughBothChanges) {
  EXPECT_THAT(Next("0 * * * *", Zone("Europe/Berlin"), "2026-03-28T23:30:00Z", 3),
              ElementsAreArray({"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00",
                                "2026-03-29T04:00:00+02:00"}));
  EXPECT_THAT(Next("30 * * * *", Zone("Europe/Berlin"), "2026-10-24T23:45:00Z", 4),
              ElementsAreArray({"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00",
                                "2026-10-25T03:30:00+01:00", "2026-10-25T04:30:00+01:00"}));
}

TEST(CronZoneTest, AChangeOfHalfAnHourIsFollowedToo) {
  // Lord Howe Island goes forward from 2:00 to 2:30 on 2026-10-04, back on 2026-04-05.
  EXPECT_THAT(Next("15 2 * * *", Zone("Australia/Lord_Howe"), "2026-10-03T12:00:00Z", 2),
              ElementsAreArray({"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}));
  EXPECT_THAT(Next("*/15 * * * *", Zone("Australia/Lord_Howe"), "2026-04-04T14:20:00Z", 5),
              ElementsAreArray({"2026-04-05T01:30:00+11:00", "2026-04-05T01:45:00+11:00",
                                "2026-04-05T01:30:00+10:30", "2026-04-05T01:45:00+10:30",
                                "2026-04-05T02:00:00+10:30"}));
}

TEST(CronZoneTest, ADayThatIsLeftOutComesAtTheJump) {
  // Samoa had no 30th of December 2011.
  EXPECT_THAT(Next("0 12 30 12 *", Zone("Pacific/Apia"), "2011-12-01T00:00:00Z", 2),
              ElementsAreArray({"2011-12-31T00:00:00+14:00", "2012-12-30T12:00:00+14:00"}));
}

TEST(CronZoneTest, AZoneWithoutChangesIsItsOffset) {
  EXPECT_THAT(Next("0 9 * * *", Zone("Asia/Kathmandu"), "2026-01-01T00:00:00Z", 1),
              ElementsAreArray({"2026-01-01T09:00:00+05:45"}));
}

// --- What is wrong -------------------------------------------------------------------------------

TEST(CronTest, ADayThatNeverComesGivesNoTime) {
  for (const char* text : {"0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 31 feb *"}) {
    const auto cron = CronExpression::Parse(text);
    ASSERT_TRUE(cron.ok()) << text;
    EXPECT_FALSE(cron->NextAfter(At("2026-01-01T00:00:00Z"), absl::UTCTimeZone())) << text;
  }
}

TEST(CronTest, WhatIsWrongIsSaidWithTheField) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"", "has 0 fields; five are wanted"},
      {"* * * *", "has 4 fields"},
      {"* * * * * *", "has 6 fields"},
      {"60 * * * *", "the minute \"60\" is no value, range or \"*\"; 0 to 59 are allowed"},
      {"* 24 * * *", "the hour \"24\""},
      {"* * 0 * *", "the day of month \"0\" is no value, range or \"*\"; 1 to 31 are allowed"},
      {"* * * 13 *", "1 to 12 are allowed, and jan to dec"},
      {"* * * * 8", "the day of week \"8\""},
      {"* * * * monday", "the day of week \"monday\""},
      {"* * * * mon,,tue", "the day of week \"\""},
      {"5-1 * * * *", "is a range whose end is before its beginning"},
      {"* * * * fri-mon", "is a range whose end is before its beginning"},
      {"*/0 * * * *", "has a step that is no number from 1 to 59"},
      {"*/60 * * * *", "has a step that is no number from 1 to 59"},
      {"*/x * * * *", "has a step"},
      {"*/ * * * *", "has a step"},
      {"5/15 * * * *", "write a range, such as 5-59/15"},
      {"-5 * * * *", "the minute \"-5\""},
      {"+5 * * * *", "the minute \"+5\""},
      {"1.5 * * * *", "the minute \"1.5\""},
      {"* * L * *", "the day of month \"L\""},
      {"@reboot", "is none of @hourly"},
      {"@", "is none of @hourly"},
      {"CRON_TZ=UTC 0 0 * * *", "has 6 fields"},
  };
  for (const auto& each : cases) {
    const auto cron = CronExpression::Parse(each.text);
    ASSERT_FALSE(cron.ok()) << each.text;
    EXPECT_EQ(cron.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(cron.status().message()), HasSubstr(each.error)) << each.text;
  }
  EXPECT_FALSE(CronExpression::Parse(std::string(kCronBytesMax + 1, '*')).ok());
}

}  // namespace
}  // namespace grove::schedules
