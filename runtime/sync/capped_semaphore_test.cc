#include "runtime/sync/capped_semaphore.h"

#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using CappedSemaphoreTest = HubTest;

TEST_F(CappedSemaphoreTest, StopsAtZeroAndAtTheLimit) {
  Run([] {
    CappedSemaphore semaphore(1, 2);
    EXPECT_TRUE(semaphore.TryRelease());
    EXPECT_FALSE(semaphore.TryRelease());
    EXPECT_EQ(semaphore.free(), 2);
    EXPECT_TRUE(semaphore.TryAcquire());
    EXPECT_TRUE(semaphore.TryAcquire());
    EXPECT_FALSE(semaphore.TryAcquire());
    EXPECT_EQ(semaphore.free(), 0);
  });
}

TEST_F(CappedSemaphoreTest, AReleaseAtTheLimitWaitsForAnAcquireFirstComeFirstServed) {
  std::vector<int> order;
  Run([&] {
    CappedSemaphore semaphore(1, 1);
    for (int i = 0; i < 3; ++i) {
      (void)Spawn("releaser", [&, i] {
        EXPECT_TRUE(semaphore.Release().ok());
        order.push_back(i);
      });
    }
    Yield();
    EXPECT_EQ(semaphore.releasing(), 3u);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(semaphore.Acquire().ok());
      EXPECT_EQ(semaphore.free(), 1);
      Yield();
      EXPECT_EQ(order.size(), i + 1u);
    }
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST_F(CappedSemaphoreTest, AnAcquireAtZeroWaitsForAReleaseFirstComeFirstServed) {
  std::vector<int> order;
  Run([&] {
    CappedSemaphore semaphore(0, 1);
    for (int i = 0; i < 3; ++i) {
      (void)Spawn("acquirer", [&, i] {
        EXPECT_TRUE(semaphore.Acquire().ok());
        order.push_back(i);
      });
    }
    Yield();
    EXPECT_EQ(semaphore.acquiring(), 3u);
    // A permit that goes to a waiter never counts against the limit.
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(semaphore.TryRelease());
    EXPECT_FALSE(semaphore.TryRelease());
    (void)Sleep(absl::Seconds(1));
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST_F(CappedSemaphoreTest, ATimedOutOrCancelledCallChangesNothing) {
  Run([] {
    CappedSemaphore full(1, 1);
    CappedSemaphore none(0, 1);
    auto acquirer = *Spawn("acquirer", [&] { EXPECT_TRUE(absl::IsCancelled(none.Acquire())); });
    auto releaser = *Spawn("releaser", [&] { EXPECT_TRUE(absl::IsCancelled(full.Release())); });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(full.Release()));
      EXPECT_TRUE(absl::IsDeadlineExceeded(none.Acquire()));
    }
    acquirer.Cancel();
    releaser.Cancel();
    EXPECT_TRUE(acquirer.Join().ok());
    EXPECT_TRUE(releaser.Join().ok());
    EXPECT_EQ(full.free(), 1);
    EXPECT_EQ(none.free(), 0);
    EXPECT_EQ(full.releasing() + none.acquiring(), 0u);
  });
}

}  // namespace
}  // namespace grove
