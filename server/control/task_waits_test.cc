#include "server/control/task_waits.h"

#include <optional>

#include "gtest/gtest.h"

namespace grove::control {
namespace {

using End = TaskWaits::End;

constexpr tasks::TaskId kA = {1, 1};
constexpr tasks::TaskId kB = {1, 2};

class TaskWaitsTest : public testing::Test {
 protected:
  TaskWaits::Done Into(std::optional<End>& end) {
    return [&end](End how) {
      ASSERT_FALSE(end.has_value()) << "called twice";
      end = how;
    };
  }
  TaskWaits::WaitId Add(std::vector<tasks::TaskId> tasks, MonotonicNanos deadline,
                        std::optional<End>& end) {
    return *waits_.Add(std::move(tasks), deadline, Into(end));
  }
  void ExpectNothingHeld() {
    EXPECT_EQ(waits_.waits(), 0u);
    EXPECT_EQ(waits_.tasks(), 0u);
    EXPECT_EQ(timers_.size(), 0u);
  }

  TimerQueue timers_;
  TaskWaits waits_{timers_, 4};
};

TEST_F(TaskWaitsTest, EndsWhenTheLastTaskWasNotified) {
  std::optional<End> end;
  Add({kA, kB}, 100, end);
  waits_.Notify(kA);
  waits_.Notify(kA);
  EXPECT_FALSE(end.has_value());
  waits_.Notify(kB);
  EXPECT_EQ(end, End::kAllNotified);
  ExpectNothingHeld();
}

TEST_F(TaskWaitsTest, EndsAtItsDeadlineNotBefore) {
  std::optional<End> end;
  Add({kA}, 100, end);
  timers_.Fire(99);
  EXPECT_FALSE(end.has_value());
  timers_.Fire(100);
  EXPECT_EQ(end, End::kTimedOut);
  ExpectNothingHeld();
  waits_.Notify(kA);
}

TEST_F(TaskWaitsTest, ManyWaitForTheSameTask) {
  std::optional<End> first, second;
  Add({kA}, kNever, first);
  Add({kA, kA}, kNever, second);
  waits_.Notify(kA);
  EXPECT_EQ(first, End::kAllNotified);
  EXPECT_EQ(second, End::kAllNotified);
  ExpectNothingHeld();
}

TEST_F(TaskWaitsTest, RemovedOnesAreNeverCalled) {
  std::optional<End> removed, other;
  const auto wait = Add({kA, kB}, 100, removed);
  Add({kA}, 100, other);
  waits_.Remove(wait);
  waits_.Remove(wait);
  EXPECT_EQ(waits_.tasks(), 1u);
  waits_.Notify(kA);
  waits_.Notify(kB);
  EXPECT_FALSE(removed.has_value());
  EXPECT_EQ(other, End::kAllNotified);
  ExpectNothingHeld();
}

TEST_F(TaskWaitsTest, RefusesBeyondItsBound) {
  std::optional<End> end, refused;
  Add({kA, kA, kA, kB}, kNever, end);
  EXPECT_TRUE(absl::IsResourceExhausted(waits_.Add({kB}, kNever, Into(refused)).status()));
  waits_.Notify(kA);
  waits_.Notify(kB);
  EXPECT_TRUE(waits_.Add({kB}, kNever, Into(refused)).ok());
  waits_.Stop();
}

TEST_F(TaskWaitsTest, StopEndsAllAndLaterOnesAtOnce) {
  std::optional<End> end, later;
  Add({kA}, 100, end);
  waits_.Stop();
  EXPECT_EQ(end, End::kStopped);
  Add({kB}, 100, later);
  EXPECT_EQ(later, End::kStopped);
  ExpectNothingHeld();
}

TEST_F(TaskWaitsTest, ACallbackMayAddAndRemoveWaits) {
  std::optional<End> inner;
  std::optional<TaskWaits::WaitId> victim;
  std::optional<End> removed;
  ASSERT_TRUE(waits_
                  .Add({kA}, kNever,
                       [&](End) {
                         waits_.Remove(*victim);
                         Add({kB}, kNever, inner);
                       })
                  .ok());
  victim = Add({kA}, kNever, removed);
  waits_.Notify(kA);
  EXPECT_FALSE(removed.has_value());
  waits_.Notify(kB);
  EXPECT_EQ(inner, End::kAllNotified);
  ExpectNothingHeld();
}

}  // namespace
}  // namespace grove::control
