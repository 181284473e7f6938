#include "client/cli/latencies.h"

#include <gtest/gtest.h>

namespace grove::client::cli {
namespace {

TEST(Latencies, ShortOnesAreExact) {
  Latencies latencies;
  for (int us = 1; us <= 100; ++us) latencies.Add(absl::Microseconds(us));
  EXPECT_EQ(latencies.Quantile(0.5), absl::Microseconds(50));
  EXPECT_EQ(latencies.Quantile(0.99), absl::Microseconds(99));
  EXPECT_EQ(latencies.Quantile(1), absl::Microseconds(100));
  EXPECT_EQ(latencies.count(), 100);
}

TEST(Latencies, LongOnesAreRightToASixtyFourth) {
  for (int64_t us : {127, 128, 129, 5000, 999'999, 1'000'000, 86'400'000}) {
    Latencies latencies;
    latencies.Add(absl::Microseconds(us), 99);
    latencies.Add(absl::Hours(30));
    const absl::Duration median = latencies.Quantile(0.5);
    EXPECT_GE(median, absl::Microseconds(us)) << us;
    EXPECT_LE(median, absl::Microseconds(us) * (1 + 1.0 / 64)) << us;
    EXPECT_EQ(latencies.longest(), absl::Hours(30));
  }
}

TEST(Latencies, NoneHaveNone) {
  EXPECT_EQ(Latencies().Quantile(0.5), absl::ZeroDuration());
  EXPECT_EQ(Latencies().longest(), absl::ZeroDuration());
}

TEST(Latencies, SomeAndOthersAreAll) {
  Latencies some;
  some.Add(absl::Milliseconds(1), 3);
  Latencies others;
  others.Add(absl::Milliseconds(9));
  some.Add(others);
  EXPECT_EQ(some.count(), 4);
  EXPECT_EQ(some.longest(), absl::Milliseconds(9));
  EXPECT_LT(some.Quantile(0.75), absl::Milliseconds(2));
}

TEST(Latencies, WhatTookNoTimeOrTooMuchIsCountedToo) {
  Latencies latencies;
  latencies.Add(absl::Seconds(-1));
  latencies.Add(absl::InfiniteDuration());
  EXPECT_EQ(latencies.count(), 2);
  EXPECT_EQ(latencies.longest(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace grove::client::cli
