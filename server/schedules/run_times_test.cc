#include "server/schedules/run_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::schedules {
namespace {

using ::testing::HasSubstr;

constexpr WallMicros kSecond = 1'000'000;
// 2026-11-29T10:00:00Z, a Sunday.
constexpr WallMicros kNow = 1'795'946'400 * kSecond;
constexpr WallMicros kHour = 3600 * kSecond;

v1::Schedule Cron(const std::string& text, const std::string& zone = "") {
  v1::Schedule schedule;
  schedule.add_cron_expressions(text);
  schedule.set_time_zone(zone);
  return schedule;
}

v1::Schedule Every(int64_t us, int64_t offset_us = 0) {
  v1::Schedule schedule;
  proto::SetMicros(us, schedule.mutable_interval()->mutable_every());
  proto::SetMicros(offset_us, schedule.mutable_interval()->mutable_offset());
  return schedule;
}

TEST(RunTimesTest, AnIntervalIsCountedFromTheEpoch) {
  const auto times = *RunTimes::Create(Every(90 * kSecond, 5 * kSecond));
  const WallMicros next = *times.NextAfter(kNow);
  EXPECT_GT(next, kNow);
  EXPECT_LE(next, kNow + 90 * kSecond);
  EXPECT_EQ((next - 5 * kSecond) % (90 * kSecond), 0);
  EXPECT_EQ(*times.NextAfter(next), next + 90 * kSecond);
  EXPECT_EQ(*times.NextAfter(next - 1), next);
}

TEST(RunTimesTest, AllExpressionsAndTheIntervalCountEachTimeOnce) {
  v1::Schedule schedule = Every(2 * kHour);
  schedule.add_cron_expressions("0 12 * * *");
  schedule.add_cron_expressions("30 12 * * *");
  const auto times = *RunTimes::Create(schedule);
  EXPECT_EQ(*times.NextAfter(kNow), kNow + 2 * kHour);
  EXPECT_EQ(*times.NextAfter(kNow + 2 * kHour), kNow + 2 * kHour + kHour / 2);
  EXPECT_EQ(times.CountWithin(kNow, kNow + 4 * kHour, 100), 3);
}

TEST(RunTimesTest, TheZoneIsThatOfTheExpressions) {
  EXPECT_EQ(*RunTimes::Create(Cron("0 12 * * *", "Europe/Berlin"))->NextAfter(kNow), kNow + kHour);
}

TEST(RunTimesTest, NoneIsBeforeTheStartOrAtTheEnd) {
  v1::Schedule schedule = Every(kHour);
  proto::SetMicros(kNow + 5 * kHour, schedule.mutable_start_time());
  proto::SetMicros(kNow + 7 * kHour, schedule.mutable_end_time());
  const auto times = *RunTimes::Create(schedule);
  EXPECT_EQ(*times.NextAfter(kNow), kNow + 5 * kHour);
  EXPECT_EQ(*times.NextAfter(kNow + 5 * kHour), kNow + 6 * kHour);
  EXPECT_FALSE(times.NextAfter(kNow + 6 * kHour));
}

TEST(RunTimesTest, TheLastTimeOfALongWhileIsFound) {
  const auto every_second = *RunTimes::Create(Every(kSecond));
  EXPECT_EQ(*every_second.LastWithin(kNow, kNow + 400 * 24 * kHour + 1), kNow + 400 * 24 * kHour);
  EXPECT_FALSE(every_second.LastWithin(kNow, kNow + kSecond - 1));
  EXPECT_FALSE(every_second.LastWithin(kNow, kNow));
  // Thick at night, none in the day.
  const auto nights = *RunTimes::Create(Cron("* 1 * * *"));
  EXPECT_EQ(*nights.LastWithin(kNow, kNow + 24 * kHour), kNow + 15 * kHour + 59 * 60 * kSecond);
  EXPECT_EQ(nights.CountWithin(kNow, kNow + 24 * kHour, 1000), 60);
  EXPECT_EQ(nights.CountWithin(kNow, kNow + 24 * kHour, 7), 7);
}

TEST(RunTimesTest, JitterIsTheSameEachTimeAndStaysBeforeTheNext) {
  v1::Schedule schedule = Every(10 * kSecond);
  proto::SetMicros(kHour, schedule.mutable_jitter());
  const auto times = *RunTimes::Create(schedule);
  std::set<int64_t> late;
  for (WallMicros due = *times.NextAfter(kNow); late.size() < 50; due = *times.NextAfter(due)) {
    const WallMicros start = times.StartOf(due, 7);
    EXPECT_GE(start, due);
    EXPECT_LT(start, due + 10 * kSecond);
    EXPECT_EQ(start, times.StartOf(due, 7));
    late.insert(start - due);
  }
  EXPECT_NE(times.StartOf(kNow, 7), times.StartOf(kNow, 8));
  EXPECT_EQ(RunTimes::Create(Every(10 * kSecond))->StartOf(kNow, 7), kNow);
}

TEST(RunTimesTest, WhatCannotBeIsRefusedWithItsField) {
  const struct {
    const char* field;
    const char* reason;
    std::function<void(v1::Schedule&)> spoil;
  } cases[] = {
      {"schedule.cron_expressions", "SCHEDULE_TIMES_REQUIRED", [](auto& s) { s.Clear(); }},
      {"schedule.cron_expressions[1]", "CRON_INVALID",
       [](auto& s) { s.add_cron_expressions("61 * * * *"); }},
      {"schedule.cron_expressions", "CRON_INVALID",
       [](auto& s) {
         for (int i = 0; i < kCronExpressionsMax; ++i) s.add_cron_expressions("@daily");
       }},
      {"schedule.time_zone", "TIME_ZONE_UNKNOWN", [](auto& s) { s.set_time_zone("Mars/Base"); }},
      {"schedule.time_zone", "TIME_ZONE_UNKNOWN", [](auto& s) { s.set_time_zone("localtime"); }},
      {"schedule.time_zone", "TIME_ZONE_UNKNOWN", [](auto& s) { s.set_time_zone("/etc/hosts"); }},
      {"schedule.interval.every", "INTERVAL_OUT_OF_RANGE",
       [](auto& s) { s.mutable_interval()->mutable_every()->set_nanos(999'000'000); }},
      {"schedule.interval.every", "INTERVAL_OUT_OF_RANGE", [](auto& s) { s.mutable_interval(); }},
      {"schedule.interval.every", "INTERVAL_OUT_OF_RANGE",
       [](auto& s) {
         s.mutable_interval()->mutable_every()->set_seconds(5);
         s.mutable_interval()->mutable_every()->set_nanos(1);
       }},
      {"schedule.interval.every", "INTERVAL_OUT_OF_RANGE",
       [](auto& s) { s.mutable_interval()->mutable_every()->set_seconds(INT64_MAX); }},
      {"schedule.interval.offset", "INTERVAL_OUT_OF_RANGE",
       [](auto& s) {
         s.mutable_interval()->mutable_every()->set_seconds(5);
         s.mutable_interval()->mutable_offset()->set_seconds(5);
       }},
      {"schedule.jitter", "JITTER_OUT_OF_RANGE",
       [](auto& s) { s.mutable_jitter()->set_seconds(-1); }},
      {"schedule.jitter", "JITTER_OUT_OF_RANGE",
       [](auto& s) { s.mutable_jitter()->set_seconds(86'401); }},
      {"schedule.start_time", "SCHEDULE_RANGE_INVALID",
       [](auto& s) { s.mutable_start_time()->set_seconds(-1); }},
      {"schedule.end_time", "SCHEDULE_RANGE_INVALID",
       [](auto& s) { s.mutable_end_time()->set_nanos(-1); }},
      {"schedule.end_time", "SCHEDULE_RANGE_INVALID",
       [](auto& s) {
         s.mutable_start_time()->set_seconds(50);
         s.mutable_end_time()->set_seconds(50);
       }},
  };
  for (const auto& each : cases) {
    v1::Schedule schedule = Cron("@daily");
    each.spoil(schedule);
    const auto times = RunTimes::Create(schedule);
    ASSERT_FALSE(times.ok()) << schedule.ShortDebugString();
    EXPECT_EQ(RefusalReason(times.status()), each.reason) << times.status();
    EXPECT_TRUE(times.status().message().find(std::string(each.field) + ": ") == 0)
        << times.status();
  }
}

TEST(RunTimesTest, WhatNeverComesIsRefusedWithItsField) {
  v1::Schedule schedule = Cron("@daily");
  schedule.add_cron_expressions("0 0 30 2 *");
  absl::Status never = RunTimes::Create(schedule)->CheckComes(schedule, kNow);
  EXPECT_EQ(RefusalReason(never), "SCHEDULE_NEVER_RUNS");
  EXPECT_THAT(std::string(never.message()), HasSubstr("schedule.cron_expressions[1]: \"0 0 30 2"));
  schedule = Cron("@daily");
  proto::SetMicros(kNow + kHour, schedule.mutable_end_time());
  never = RunTimes::Create(schedule)->CheckComes(schedule, kNow);
  EXPECT_EQ(RefusalReason(never), "SCHEDULE_NEVER_RUNS");
  EXPECT_THAT(std::string(never.message()), HasSubstr("schedule.end_time: "));
  EXPECT_TRUE(RunTimes::Create(schedule)->CheckComes(schedule, kNow - 24 * kHour).ok());
}

}  // namespace
}  // namespace grove::schedules
