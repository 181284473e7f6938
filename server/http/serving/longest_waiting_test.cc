#include "server/http/serving/longest_waiting.h"

#include <set>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

struct Waiting {
  std::optional<MonotonicNanos> waiting_since() const { return since; }
  std::optional<MonotonicNanos> since;
};

class LongestWaitingTest : public testing::Test {
 protected:
  LongestWaitingTest() {
    for (size_t i = 0; i < std::size(connections_); ++i) {
      connections_[i].since = static_cast<MonotonicNanos>(100 - i);
      all_.insert(&connections_[i]);
    }
  }
  // Its number; -1: none.
  int Find(MonotonicNanos before = 1000) {
    Waiting* found = longest_.Find(all_, before);
    return found == nullptr ? -1 : static_cast<int>(found - connections_);
  }

  Waiting connections_[100];
  std::set<Waiting*> all_;
  LongestWaiting<std::set<Waiting*>> longest_;
};

TEST_F(LongestWaitingTest, FindsThemInOrderAsTheyGo) {
  for (int i = 99; i >= 0; --i) {
    EXPECT_EQ(Find(), i);
    all_.erase(&connections_[i]);
  }
  EXPECT_EQ(Find(), -1);
}

TEST_F(LongestWaitingTest, SkipsThoseThatWorkOrWaitAnew) {
  EXPECT_EQ(Find(), 99);
  connections_[99].since.reset();
  connections_[98].since = 200;
  EXPECT_EQ(Find(), 97);
}

TEST_F(LongestWaitingTest, GivesNoneThatHasNotWaitedLongEnough) {
  EXPECT_EQ(Find(0), -1);
  EXPECT_EQ(Find(1), 99);
  all_.erase(&connections_[99]);
  EXPECT_EQ(Find(1), -1);
}

TEST_F(LongestWaitingTest, SeesThoseThatCameSince) {
  EXPECT_EQ(Find(), 99);
  Waiting late{.since = 500};
  all_ = {&late};
  EXPECT_EQ(longest_.Find(all_, 1000), &late);
}

}  // namespace
}  // namespace grove::http
