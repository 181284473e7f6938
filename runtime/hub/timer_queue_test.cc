#include "runtime/hub/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace grove {
namespace {

std::vector<int>* fired = nullptr;

struct Numbered : Timer {
  explicit Numbered(int n)
      : Timer([](Timer& t) { fired->push_back(static_cast<Numbered&>(t).number); }), number(n) {}
  int number;
};

class TimerQueueTest : public ::testing::Test {
 protected:
  TimerQueueTest() { fired = &fired_; }
  TimerQueue queue_;
  std::vector<int> fired_;
};

TEST_F(TimerQueueTest, ExpiresAtItsDeadlineNotBefore) {
  Numbered timer(1);
  queue_.Arm(timer, 100);
  EXPECT_EQ(queue_.Fire(99), 0u);
  EXPECT_EQ(queue_.Fire(100), 1u);
  EXPECT_FALSE(timer.armed());
}

TEST_F(TimerQueueTest, FiresInDeadlineOrderThenInOrderOfArming) {
  Numbered a(1), b(2), c(3);
  queue_.Arm(a, 20);
  queue_.Arm(b, 10);
  queue_.Arm(c, 10);
  queue_.Fire(20);
  EXPECT_EQ(fired_, (std::vector<int>{2, 3, 1}));
}

TEST_F(TimerQueueTest, ACancelledTimerDoesNotFireAndCanBeArmedAgain) {
  Numbered timer(1);
  queue_.Arm(timer, 10);
  queue_.Cancel(timer);
  queue_.Cancel(timer);
  EXPECT_EQ(queue_.Fire(10), 0u);
  queue_.Arm(timer, 20);
  EXPECT_EQ(queue_.Fire(20), 1u);
}

TEST_F(TimerQueueTest, ATimerArmedWhileTimersFireWaitsForTheNextCall) {
  static TimerQueue* queue;
  static Numbered* again;
  queue = &queue_;
  Numbered second(2);
  again = &second;
  Timer first([](Timer&) { queue->Arm(*again, 10); });
  queue_.Arm(first, 10);
  EXPECT_EQ(queue_.Fire(10), 1u);
  EXPECT_EQ(queue_.Fire(10), 1u);
}

TEST_F(TimerQueueTest, KeepsOrderThroughManyRandomArmsAndCancels) {
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Numbered>> timers;
  std::vector<std::pair<MonotonicNanos, int>> expected;
  for (int i = 0; i < 2000; ++i) {
    timers.push_back(std::make_unique<Numbered>(i));
    const MonotonicNanos deadline = static_cast<MonotonicNanos>(random() % 500);
    queue_.Arm(*timers.back(), deadline);
    if (random() % 3 == 0) {
      queue_.Cancel(*timers.back());
    } else {
      expected.emplace_back(deadline, i);
    }
  }
  for (size_t i = 0; i < expected.size(); i += 5) queue_.Cancel(*timers[expected[i].second]);
  std::vector<std::pair<MonotonicNanos, int>> kept;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (i % 5 != 0) kept.push_back(expected[i]);
  }
  std::sort(kept.begin(), kept.end());  // numbers rise in order of arming
  queue_.Fire(500);
  ASSERT_EQ(fired_.size(), kept.size());
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(fired_[i], kept[i].second);
  EXPECT_EQ(queue_.size(), 0u);
}

}  // namespace
}  // namespace grove
