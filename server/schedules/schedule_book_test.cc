#include "server/schedules/schedule_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "proto/well_known_times.h"

namespace grove::schedules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr WallMicros kSecond = 1'000'000;
constexpr WallMicros kNever = std::numeric_limits<int64_t>::max();

ScheduleState Every(int64_t seconds) {
  v1::Schedule schedule;
  schedule.mutable_interval()->mutable_every()->set_seconds(seconds);
  return ScheduleState("tenants/t/schedules/s", schedule, 0);
}

const ScheduleKey kA = {"acme", "a"};
const ScheduleKey kB = {"acme", "b"};
const ScheduleKey kC = {"beta", "a"};

TEST(ScheduleBookTest, TheEarliestIsLookedAtFirst) {
  ScheduleBook book;
  EXPECT_EQ(book.NextWake(), kNever);
  book.Put(kA, Every(30));
  book.Put(kB, Every(20));
  book.Put(kC, Every(50));
  EXPECT_EQ(book.NextWake(), 20 * kSecond);
  EXPECT_THAT(book.Due(20 * kSecond - 1), IsEmpty());
  EXPECT_THAT(book.Due(30 * kSecond), ElementsAre(kB, kA));
}

TEST(ScheduleBookTest, AWakeFollowsItsState) {
  ScheduleBook book;
  ScheduleState& state = book.Put(kA, Every(30));
  state.Pause("", 0);
  book.Changed(kA);
  EXPECT_EQ(book.NextWake(), kNever);
  state.Resume(45 * kSecond);
  book.Changed(kA);
  EXPECT_EQ(book.NextWake(), 60 * kSecond);
  book.Suspend(kA);
  EXPECT_EQ(book.NextWake(), kNever);
  book.Changed(kA);
  book.Put(kA, Every(7));
  EXPECT_EQ(book.NextWake(), 7 * kSecond);
  book.Remove(kA);
  book.Remove(kA);
  EXPECT_EQ(book.NextWake(), kNever);
  EXPECT_EQ(book.Find(kA), nullptr);
}

TEST(ScheduleBookTest, ListsGoByNameWithinATenantOrThroughAll) {
  ScheduleBook book;
  for (const ScheduleKey& key : {kC, kB, kA}) book.Put(key, Every(9));
  EXPECT_THAT(book.KeysAfter({}, "", 10), ElementsAre(kA, kB, kC));
  EXPECT_THAT(book.KeysAfter(kA, "", 1), ElementsAre(kB));
  EXPECT_THAT(book.KeysAfter({}, "beta", 10), ElementsAre(kC));
  EXPECT_THAT(book.KeysAfter(kA, "acme", 10), ElementsAre(kB));
  EXPECT_THAT(book.KeysOf("none"), IsEmpty());
  EXPECT_EQ(book.CountOf("acme"), 2u);
  EXPECT_EQ(book.size(), 3u);
  EXPECT_EQ(book.BytesBeside(kA), 0u);
  v1::Schedule large;
  large.mutable_spec()->set_input(std::string(1000, 'x'));
  book.Put(kB, ScheduleState("tenants/acme/schedules/b", large, 0));
  EXPECT_GT(book.BytesBeside(kA), 1000u);
  EXPECT_EQ(book.BytesBeside(kB), 0u);
  EXPECT_EQ(book.BytesBeside(kC), 0u);
}

}  // namespace
}  // namespace grove::schedules
