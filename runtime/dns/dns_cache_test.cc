#include "runtime/dns/dns_cache.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace grove {
namespace {

class DnsCacheTest : public ::testing::Test {
 protected:
  void Put(const std::string& key, absl::Duration ttl = absl::Seconds(10)) {
    cache_.Put(key, absl::NotFoundError(key), now_, ttl);
  }
  bool Has(const std::string& key) {
    const DnsCache::Result* result = cache_.Get(key, now_);
    return result != nullptr && result->status().message() == key;
  }
  void Pass(absl::Duration time) { now_ = DeadlineAfter(now_, time); }

  DnsCache cache_{2};
  MonotonicNanos now_ = 1;
};

TEST_F(DnsCacheTest, AnEntryLivesUntilItsTimeNotLonger) {
  Put("a");
  Pass(absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_TRUE(Has("a"));
  Pass(absl::Nanoseconds(1));
  EXPECT_FALSE(Has("a"));
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(DnsCacheTest, TheLongestUnusedMakesRoom) {
  Put("a");
  Put("b");
  EXPECT_TRUE(Has("a"));
  Put("c");
  EXPECT_TRUE(Has("a"));
  EXPECT_FALSE(Has("b"));
  EXPECT_TRUE(Has("c"));
}

TEST_F(DnsCacheTest, ALaterAnswerReplacesAnEarlier) {
  Put("a");
  cache_.Put("a", absl::UnavailableError("new"), now_, absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(cache_.Get("a", now_)->status()));
  EXPECT_EQ(cache_.size(), 1u);
  Put("a", absl::ZeroDuration());
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(DnsCacheTest, KeepsNothingWithoutRoomOrWhenCleared) {
  DnsCache none(0);
  none.Put("a", absl::NotFoundError("a"), now_, absl::Seconds(1));
  EXPECT_EQ(none.size(), 0u);
  Put("a");
  cache_.Clear();
  EXPECT_FALSE(Has("a"));
}

}  // namespace
}  // namespace grove
