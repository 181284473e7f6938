#include "server/supervisor/standstill.h"

#include "gtest/gtest.h"
#include "server/supervisor/supervisor_decisions.h"

namespace grove::supervisor {
namespace {

constexpr MonotonicNanos kSecond = 1'000'000'000;

TEST(Standstill, AddsUpTheTimeWithoutProgress) {
  Standstill still;
  still.Begin(100 * kSecond, 100 * kSecond);
  for (int second = 1; second < 9; ++second) {
    EXPECT_EQ(still.Look((100 + second) * kSecond, 100 * kSecond), absl::Seconds(second));
  }
}

TEST(Standstill, ProgressCountsFromWhereItWasMade) {
  Standstill still;
  still.Begin(100 * kSecond, 100 * kSecond);
  still.Look(101 * kSecond, 100 * kSecond);
  EXPECT_EQ(still.Look(102 * kSecond, 102 * kSecond), absl::ZeroDuration());
  EXPECT_EQ(still.Look(104 * kSecond, 103 * kSecond), absl::Seconds(1));
  EXPECT_EQ(still.Look(105 * kSecond, 103 * kSecond), absl::Seconds(2));
}

TEST(Standstill, OfATimeInWhichNobodyLookedOnlyAPartCounts) {
  Standstill still;
  still.Begin(100 * kSecond, 100 * kSecond);
  EXPECT_EQ(still.Look(1000 * kSecond, 100 * kSecond), kLookGapMax);
  EXPECT_EQ(still.Look(2000 * kSecond, 1500 * kSecond), kLookGapMax);
}

TEST(LookPeriod, IsASecondOrHalfOfTheShortestLimit) {
  EXPECT_EQ(LookPeriod({}), absl::Seconds(1));
  EXPECT_EQ(LookPeriod({.stuck = absl::Milliseconds(100)}), absl::Milliseconds(50));
  EXPECT_EQ(LookPeriod({.boot = absl::Milliseconds(200)}), absl::Milliseconds(100));
}

}  // namespace
}  // namespace grove::supervisor
