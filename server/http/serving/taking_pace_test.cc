#include "server/http/serving/taking_pace.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(8);
constexpr MonotonicNanos kSecond = 1'000'000'000;
constexpr int64_t kPerSecond = kTakenBytesMin / 8;

// Waits from the start, and looks as often as it asks for, at a client that has taken
// `taken(seconds)`; the second in which it is given up, or `seconds`.
template <typename F>
int64_t GivenUpAt(F&& taken, int64_t seconds, bool answers = true) {
  TakingPace pace(kTimeout, 0);
  pace.BeginWait(0);
  for (MonotonicNanos now = pace.NextLook(0); now < seconds * kSecond; now = pace.NextLook(now)) {
    if (!pace.Look(now, {.taken = taken(now / kSecond), .answers = answers})) return now / kSecond;
  }
  return seconds;
}

TEST(TakingPace, GivesUpAClientThatTakesNothing) {
  EXPECT_EQ(GivenUpAt([](int64_t) { return 0; }, 100), 8);
}

TEST(TakingPace, WhatAKernelTakesUnreadEarnsNothing) {
  EXPECT_EQ(GivenUpAt([](int64_t) { return kUnearnedBytes; }, 100), 8);
}

TEST(TakingPace, WaitsForOneThatTakesJustEnough) {
  EXPECT_EQ(GivenUpAt([](int64_t second) { return second * kPerSecond; }, 1000), 1000);
}

TEST(TakingPace, WaitsForOneThatTakesItAtOnceAndThenPauses) {
  EXPECT_EQ(GivenUpAt([](int64_t second) { return second / 7 * 7 * kPerSecond; }, 1000), 1000);
}

TEST(TakingPace, GivesUpOneThatDrips) {
  EXPECT_EQ(GivenUpAt([](int64_t second) { return second * kPerSecond / 2; }, 100), 14)
      << "with half the rate after nearly twice the time";
}

TEST(TakingPace, OneThatWasFasterMayPauseAsLongAsThatPaysFor) {
  EXPECT_EQ(GivenUpAt([](int64_t) { return kUnearnedBytes + 3 * kTakenBytesMin; }, 100), 24);
}

TEST(TakingPace, AndNoLongerThanTheMost) {
  EXPECT_EQ(GivenUpAt([](int64_t) { return 1'000'000'000; }, 1000), 8 * kPauseMax);
}

TEST(TakingPace, OneWhoseKernelDoesNotAnswerHasNoCredit) {
  EXPECT_EQ(GivenUpAt([](int64_t) { return 1'000'000'000; }, 1000, false), 8);
  EXPECT_EQ(GivenUpAt([](int64_t second) { return std::min<int64_t>(second, 5) * 1'000'000; }, 1000,
                      false),
            13);
}

TEST(TakingPace, WhatWasTakenLongAgoPaysForNothing) {
  TakingPace pace(kTimeout, 0);
  constexpr MonotonicNanos kHour = 3600 * kSecond;
  pace.BeginWait(kHour);
  const TakingPace::Seen seen{.taken = 1'000'000};
  EXPECT_TRUE(pace.Look(kHour + 7 * kSecond, seen));
  EXPECT_FALSE(pace.Look(kHour + 8 * kSecond, seen));
}

TEST(TakingPace, EveryWaitMayLastATimeout) {
  TakingPace pace(kTimeout, 0);
  for (const MonotonicNanos began : {0 * kSecond, 8 * kSecond, 100 * kSecond}) {
    pace.BeginWait(began);
    EXPECT_TRUE(pace.Look(began + 7 * kSecond, {}));
    EXPECT_FALSE(pace.Look(began + 8 * kSecond, {}));
  }
}

TEST(TakingPace, LooksAtTheVeryEndOfATimeoutThatCannotBeDivided) {
  TakingPace pace(absl::Nanoseconds(15), 0);
  pace.BeginWait(0);
  MonotonicNanos now = 0;
  while (pace.Look(now = pace.NextLook(now), {})) {
  }
  EXPECT_EQ(now, 15);
}

TEST(TakingPace, NeverGivesUpWithoutATimeout) {
  TakingPace pace(absl::InfiniteDuration(), 0);
  pace.BeginWait(0);
  EXPECT_EQ(pace.NextLook(0), kNever);
}

}  // namespace
}  // namespace grove::http
