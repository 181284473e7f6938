#include "runtime/sync/condition.h"

#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using ConditionTest = HubTest;

TEST_F(ConditionTest, GivesTheMutexUpWhileItWaitsAndHoldsItAfterwards) {
  Run([] {
    Mutex mutex;
    Condition changed(mutex);
    bool ready = false;
    auto waiter = *Spawn("waiter", [&] {
      MutexLock lock(mutex);
      EXPECT_TRUE(changed.WaitUntil([&] { return ready; }).ok());
      EXPECT_TRUE(mutex.HeldByCaller());
    });
    Yield();
    {
      MutexLock lock(mutex);
      changed.NotifyOne();  // for nothing: it must wait on
      Yield();
    }
    (void)Sleep(absl::Seconds(1));
    EXPECT_FALSE(waiter.ended());
    ready = true;
    changed.NotifyOne();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(ConditionTest, NotifyOneWakesTheLongestWaitingAndNotifyAllTheRestInOrder) {
  std::vector<int> order;
  Run([&] {
    Mutex mutex;
    Condition changed(mutex);
    for (int i = 0; i < 4; ++i) {
      (void)Spawn("waiter", [&, i] {
        MutexLock lock(mutex);
        EXPECT_TRUE(changed.Wait().ok());
        order.push_back(i);
      });
    }
    Yield();
    EXPECT_EQ(changed.waiting(), 4u);
    changed.NotifyOne();
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(order, (std::vector<int>{0}));
    changed.NotifyAll();
    (void)Sleep(absl::Seconds(1));
    changed.NotifyOne();  // nobody waits
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST_F(ConditionTest, WaitingWithoutTheMutexIsAnError) {
  Run([] {
    Mutex mutex;
    Condition changed(mutex);
    EXPECT_TRUE(absl::IsFailedPrecondition(changed.Wait()));
  });
}

TEST_F(ConditionTest, ATimedOutWaiterHoldsTheMutexThoughItHasToWaitForIt) {
  Run([] {
    Mutex mutex;
    Condition changed(mutex);
    auto waiter = *Spawn("waiter", [&] {
      MutexLock lock(mutex);
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(changed.Wait()));
      EXPECT_TRUE(mutex.HeldByCaller());
    });
    Yield();
    ASSERT_TRUE(mutex.Lock().ok());
    (void)Sleep(absl::Seconds(5));
    EXPECT_EQ(changed.waiting(), 0u);
    EXPECT_EQ(mutex.waiting(), 1u);
    waiter.Cancel();  // does not end the wait for the mutex
    Yield();
    EXPECT_FALSE(waiter.ended());
    EXPECT_TRUE(mutex.Unlock().ok());
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(ConditionTest, ACancelledWaiterUsesNoNotificationUp) {
  Run([] {
    Mutex mutex;
    Condition changed(mutex);
    auto first = *Spawn("first", [&] {
      MutexLock lock(mutex);
      EXPECT_TRUE(absl::IsCancelled(changed.Wait()));
      EXPECT_TRUE(mutex.HeldByCaller());
    });
    auto second = *Spawn("second", [&] {
      MutexLock lock(mutex);
      EXPECT_TRUE(changed.Wait().ok());
    });
    Yield();
    first.Cancel();
    EXPECT_TRUE(first.Join().ok());
    changed.NotifyOne();
    EXPECT_TRUE(second.Join().ok());
  });
}

TEST_F(ConditionTest, ANotifiedWaiterIsNotifiedThoughItIsCancelledInTheSameTurn) {
  Run([] {
    Mutex mutex;
    Condition changed(mutex);
    auto waiter = *Spawn("waiter", [&] {
      MutexLock lock(mutex);
      EXPECT_TRUE(changed.Wait().ok());
    });
    Yield();
    changed.NotifyOne();
    waiter.Cancel();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

}  // namespace
}  // namespace grove
