#include "runtime/repeat/backoff.h"

#include <gtest/gtest.h>

namespace grove {
namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);

TEST(Backoff, GrowsWithinItsBounds) {
  Backoff pauses({.first = kSecond, .growth = 2, .jitter = 0, .max = absl::Seconds(5)});
  for (int seconds : {1, 2, 4, 5, 5}) EXPECT_EQ(pauses.Next(), absl::Seconds(seconds));
  pauses.Reset();
  EXPECT_EQ(pauses.Next(), kSecond);
}

TEST(Backoff, GrowsByASetStep) {
  Backoff pauses(
      {.first = kSecond, .growth = 1, .step = 2 * kSecond, .jitter = 0, .max = absl::Seconds(6)});
  for (int seconds : {1, 3, 5, 6, 6}) EXPECT_EQ(pauses.Next(), absl::Seconds(seconds));
}

TEST(Backoff, DoublesFromTheFirstPauseToTheLongest) {
  Backoff pauses = Backoff::Doubling(absl::Milliseconds(10), absl::Milliseconds(50));
  for (int ms : {10, 20, 40, 50, 50}) EXPECT_EQ(pauses.Next(), absl::Milliseconds(ms));
}

TEST(Backoff, JitterSpreadsToBothSidesButNotBeyondTheBounds) {
  const BackoffOptions options{
      .first = kSecond, .growth = 1, .jitter = 0.5, .min = kSecond * 0.75, .max = kSecond * 1.25};
  EXPECT_EQ(Backoff(options).Next(), kSecond);
  EXPECT_EQ(Backoff(options).Next(0.4), kSecond * 0.9);
  EXPECT_EQ(Backoff(options).Next(0), options.min);
  EXPECT_EQ(Backoff(options).Next(1), options.max);
}

TEST(Backoff, JitterDoesNotAddUp) {
  Backoff pauses({.first = kSecond, .growth = 2, .jitter = 0.5});
  EXPECT_EQ(pauses.Next(0), kSecond * 0.5);
  EXPECT_EQ(pauses.Next(), kSecond * 2);
}

TEST(Backoff, TellsThePauseAfterSoManyOthers) {
  const Backoff pauses = Backoff::Doubling(kSecond, absl::Seconds(5));
  EXPECT_EQ(pauses.PauseAfter(-1), kSecond);
  EXPECT_EQ(pauses.PauseAfter(0), kSecond);
  EXPECT_EQ(pauses.PauseAfter(2), 4 * kSecond);
  EXPECT_EQ(pauses.PauseAfter(3), 5 * kSecond);
  EXPECT_EQ(pauses.PauseAfter(INT64_MAX), 5 * kSecond);
  const Backoff even({.first = kSecond, .growth = 1, .jitter = 0.5});
  EXPECT_EQ(even.PauseAfter(INT64_MAX, 0), kSecond * 0.5);
}

TEST(SeededRandom, RepeatsForASeedAndStaysBelowOne) {
  Random a = SeededRandom(7);
  Random b = SeededRandom(7);
  Random c = SeededRandom(8);
  EXPECT_NE(SeededRandom(7)(), c());
  for (int i = 0; i < 1000; ++i) {
    const double value = a();
    EXPECT_EQ(value, b());
    EXPECT_TRUE(value >= 0 && value < 1) << value;
  }
}

}  // namespace
}  // namespace grove
