#include "server/http/middleware/token_buckets.h"

#include "gtest/gtest.h"

namespace grove::http {
namespace {

constexpr int64_t kMs = 1'000'000;

TEST(TokenBuckets, AdmitsABurstThenOnePerInterval) {
  TokenBuckets buckets({.interval = absl::Milliseconds(100), .burst = 3});
  for (int64_t left : {2, 1, 0}) {
    const auto decision = buckets.Take("a", 0);
    EXPECT_TRUE(decision.admitted);
    EXPECT_EQ(decision.remaining, left);
  }
  const auto refused = buckets.Take("a", 0);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_in, absl::Milliseconds(100));
  EXPECT_EQ(refused.full_in, absl::Milliseconds(300));
  EXPECT_FALSE(buckets.Take("a", 100 * kMs - 1).admitted);
  EXPECT_TRUE(buckets.Take("a", 100 * kMs).admitted);
  EXPECT_FALSE(buckets.Take("a", 100 * kMs).admitted);
}

TEST(TokenBuckets, HoldsNoMoreThanABurst) {
  TokenBuckets buckets({.interval = absl::Milliseconds(100), .burst = 2});
  EXPECT_TRUE(buckets.Take("a", 0).admitted);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(buckets.Take("a", 3'600'000 * kMs).admitted);
  EXPECT_FALSE(buckets.Take("a", 3'600'000 * kMs).admitted);
}

TEST(TokenBuckets, CountsEachKeyAlone) {
  TokenBuckets buckets({.interval = absl::Seconds(1), .burst = 1});
  EXPECT_TRUE(buckets.Take("a", 0).admitted);
  EXPECT_FALSE(buckets.Take("a", 0).admitted);
  EXPECT_TRUE(buckets.Take("b", 0).admitted);
}

TEST(TokenBuckets, ForgetsTheKeyThatWasSeenLongestAgo) {
  TokenBuckets buckets({.interval = absl::Seconds(1), .burst = 1, .keys_max = 2});
  EXPECT_TRUE(buckets.Take("a", 0).admitted);
  EXPECT_TRUE(buckets.Take("b", 0).admitted);
  EXPECT_FALSE(buckets.Take("a", 0).admitted);
  EXPECT_TRUE(buckets.Take("c", 0).admitted);
  EXPECT_EQ(buckets.keys(), 2);
  EXPECT_FALSE(buckets.Take("a", 0).admitted);
  EXPECT_TRUE(buckets.Take("b", 0).admitted) << "forgotten";
}

TEST(TokenBuckets, SurvivesTheLargestNumbers) {
  TokenBuckets buckets({.interval = absl::Hours(24), .burst = INT64_MAX});
  EXPECT_TRUE(buckets.Take("a", int64_t{1} << 60).admitted);
}

}  // namespace
}  // namespace grove::http
