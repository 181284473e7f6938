#include "server/tenancy/gcra.h"

#include "gtest/gtest.h"

namespace grove::tenancy {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kNow = 1'700'000'000'000 * kMs;

TEST(Gcra, LetsABurstInAndThenOnePerInterval) {
  const Rate rate = {.interval_ns = 100 * kMs, .burst = 3};
  Gcra gcra;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(gcra.WaitNs(rate, kNow), 0) << i;
    gcra.Take(rate, kNow);
  }
  EXPECT_EQ(gcra.WaitNs(rate, kNow), 100 * kMs);
  EXPECT_EQ(gcra.WaitNs(rate, kNow + 99 * kMs), kMs);
  EXPECT_EQ(gcra.WaitNs(rate, kNow + 100 * kMs), 0);
  gcra.Take(rate, kNow + 100 * kMs);
  EXPECT_EQ(gcra.WaitNs(rate, kNow + 100 * kMs), 100 * kMs);
}

TEST(Gcra, HoldsNoMoreThanABurst) {
  const Rate rate = {.interval_ns = 100 * kMs, .burst = 2};
  Gcra gcra;
  gcra.Take(rate, kNow);
  const int64_t later = kNow + 3600 * 1000 * kMs;
  gcra.Take(rate, later);
  EXPECT_EQ(gcra.WaitNs(rate, later), 0);
  gcra.Take(rate, later);
  EXPECT_EQ(gcra.WaitNs(rate, later), 100 * kMs);
}

TEST(Gcra, TellsWhatIsUsedOfABurst) {
  const Rate rate = {.interval_ns = 100 * kMs, .burst = 3};
  Gcra gcra;
  EXPECT_EQ(gcra.Used(rate, kNow), 0);
  gcra.Take(rate, kNow);
  gcra.Take(rate, kNow);
  EXPECT_EQ(gcra.Used(rate, kNow), 2);
  EXPECT_EQ(gcra.Used(rate, kNow + 1), 2);
  EXPECT_EQ(gcra.Used(rate, kNow + 100 * kMs), 1);
  EXPECT_EQ(gcra.Used(rate, kNow + 200 * kMs), 0);
  gcra.Take(rate, kNow);
  EXPECT_EQ(gcra.Used(rate, kNow), 3);
  EXPECT_NE(gcra.WaitNs(rate, kNow), 0);
  EXPECT_EQ(gcra.Used({}, kNow), 0);
}

TEST(Gcra, WithoutARateEverythingIsLetIn) {
  Gcra gcra;
  for (int i = 0; i < 1000; ++i) gcra.Take({}, kNow);
  EXPECT_EQ(gcra.WaitNs({}, kNow), 0);
  EXPECT_EQ(gcra.full_at_ns(), 0);
  EXPECT_EQ(gcra.WaitNs({.interval_ns = kMs, .burst = 1}, kNow), 0);
}

TEST(Gcra, AnotherRateHoldsAtOnce) {
  Gcra gcra;
  const Rate slow = {.interval_ns = 60'000 * kMs, .burst = 10};
  for (int i = 0; i < 10; ++i) gcra.Take(slow, kNow);
  EXPECT_EQ(gcra.WaitNs(slow, kNow), 60'000 * kMs);
  const Rate fast = {.interval_ns = 10 * kMs, .burst = 10};
  EXPECT_EQ(gcra.WaitNs(fast, kNow), 10 * kMs) << "an empty bucket of the new rate, not minutes";
  gcra.Take(fast, kNow + 10 * kMs);
  EXPECT_LE(gcra.full_at_ns(), kNow + 200 * kMs);
}

TEST(Gcra, IsAsIfNothingHadHappenedOnceItIsFull) {
  const Rate rate = {.interval_ns = 100 * kMs, .burst = 5};
  Gcra gcra;
  gcra.Take(rate, kNow);
  gcra.Take(rate, kNow);
  EXPECT_EQ(gcra.full_at_ns(), kNow + 200 * kMs);
}

}  // namespace
}  // namespace grove::tenancy
