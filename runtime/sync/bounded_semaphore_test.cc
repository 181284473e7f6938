#include "runtime/sync/bounded_semaphore.h"

#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using BoundedSemaphoreTest = HubTest;

TEST_F(BoundedSemaphoreTest, TakesBackWhatItGaveAndNotOneMore) {
  Run([] {
    BoundedSemaphore semaphore(2);
    EXPECT_TRUE(absl::IsFailedPrecondition(semaphore.Release()));
    EXPECT_TRUE(semaphore.Acquire().ok());
    EXPECT_TRUE(semaphore.TryAcquire());
    EXPECT_FALSE(semaphore.TryAcquire());
    EXPECT_TRUE(semaphore.Release().ok());
    EXPECT_TRUE(semaphore.Release().ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(semaphore.Release()));
    EXPECT_EQ(semaphore.free(), 2);
  });
}

TEST_F(BoundedSemaphoreTest, WithoutPermitsNothingCanBeReleasedToAWaiter) {
  Run([] {
    BoundedSemaphore semaphore(0);
    auto waiter = *Spawn("waiter", [&] {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(semaphore.Acquire()));
    });
    Yield();
    EXPECT_TRUE(absl::IsFailedPrecondition(semaphore.Release()));
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(BoundedSemaphoreTest, ServesFirstComeFirstServedAndSkipsTheCancelled) {
  std::vector<int> order;
  Run([&] {
    BoundedSemaphore semaphore(1);
    ASSERT_TRUE(semaphore.Acquire().ok());
    std::vector<FiberHandle> waiters;
    waiters.reserve(3);
    for (int i = 0; i < 3; ++i) {
      waiters.push_back(*Spawn("waiter", [&, i] {
        if (!semaphore.Acquire().ok()) return;
        order.push_back(i);
        EXPECT_TRUE(semaphore.Release().ok());
      }));
    }
    Yield();
    EXPECT_EQ(semaphore.waiting(), 3u);
    waiters[1]->Cancel();
    EXPECT_TRUE(semaphore.Release().ok());
    for (FiberHandle& waiter : waiters) EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(semaphore.free(), 1);
  });
  EXPECT_EQ(order, (std::vector<int>{0, 2}));
}

}  // namespace
}  // namespace grove
