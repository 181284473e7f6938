#include "runtime/sync/mutex.h"

#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using MutexTest = HubTest;

TEST_F(MutexTest, KnowsTheFiberThatHoldsIt) {
  Run([] {
    Mutex mutex;
    EXPECT_EQ(mutex.owner(), nullptr);
    EXPECT_FALSE(mutex.HeldByCaller());
    ASSERT_TRUE(mutex.Lock().ok());
    EXPECT_EQ(mutex.owner(), Hub::Current()->running());
    EXPECT_TRUE(mutex.HeldByCaller());
    EXPECT_TRUE(mutex.Unlock().ok());
    EXPECT_EQ(mutex.owner(), nullptr);
  });
}

TEST_F(MutexTest, IsHandedOnFirstComeFirstServedAndNobodyOvertakes) {
  std::vector<int> order;
  Run([&] {
    Mutex mutex;
    ASSERT_TRUE(mutex.Lock().ok());
    for (int i = 0; i < 3; ++i) {
      (void)Spawn("waiter", [&, i] {
        MutexLock lock(mutex);
        ASSERT_TRUE(lock.ok());
        order.push_back(i);
        Yield();
      });
    }
    Yield();
    EXPECT_EQ(mutex.waiting(), 3u);
    EXPECT_TRUE(mutex.Unlock().ok());
    EXPECT_FALSE(mutex.TryLock());  // it belongs to the first waiter already
    ASSERT_TRUE(mutex.Lock().ok());
    order.push_back(9);
    EXPECT_TRUE(mutex.Unlock().ok());
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 9}));
}

TEST_F(MutexTest, LockingItTwiceIsAnErrorThatLeavesItLocked) {
  Run([] {
    Mutex mutex;
    MutexLock lock(mutex);
    EXPECT_TRUE(lock.ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(mutex.Lock()));
    EXPECT_FALSE(mutex.TryLock());
    EXPECT_TRUE(mutex.HeldByCaller());
  });
}

TEST_F(MutexTest, OnlyItsOwnerUnlocksIt) {
  Run([] {
    Mutex mutex;
    EXPECT_TRUE(absl::IsFailedPrecondition(mutex.Unlock()));
    ASSERT_TRUE(mutex.Lock().ok());
    auto other = *Spawn("other", [&] { EXPECT_TRUE(absl::IsFailedPrecondition(mutex.Unlock())); });
    EXPECT_TRUE(other.Join().ok());
    EXPECT_TRUE(mutex.HeldByCaller());
    EXPECT_TRUE(mutex.Unlock().ok());
  });
}

TEST_F(MutexTest, AFiberAtTheAddressOfAnOwnerThatEndedIsNotTheOwner) {
  Run([] {
    Mutex mutex;
    (void)Spawn("forgetful", [&] { EXPECT_TRUE(mutex.Lock().ok()); });
    Yield();
    auto next = *Spawn("next", [&] { EXPECT_FALSE(mutex.HeldByCaller()); });
    EXPECT_TRUE(next.Join().ok());
    EXPECT_EQ(mutex.owner()->name(), "forgetful");
  });
}

TEST_F(MutexTest, ATimedOutOrCancelledWaiterDoesNotGetIt) {
  Run([] {
    Mutex mutex;
    ASSERT_TRUE(mutex.Lock().ok());
    auto timed = *Spawn("timed", [&] {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(MutexLock(mutex).status()));
    });
    auto cancelled =
        *Spawn("cancelled", [&] { EXPECT_TRUE(absl::IsCancelled(MutexLock(mutex).status())); });
    EXPECT_TRUE(timed.Join().ok());
    cancelled.Cancel();
    EXPECT_TRUE(cancelled.Join().ok());
    EXPECT_EQ(mutex.waiting(), 0u);
    EXPECT_TRUE(mutex.Unlock().ok());
    EXPECT_EQ(mutex.owner(), nullptr);
  });
}

TEST_F(MutexTest, AWaiterThatWasServedHoldsItThoughItIsCancelledInTheSameTurn) {
  Run([] {
    Mutex mutex;
    ASSERT_TRUE(mutex.Lock().ok());
    auto waiter = *Spawn("waiter", [&] { EXPECT_TRUE(MutexLock(mutex).ok()); });
    Yield();
    EXPECT_TRUE(mutex.Unlock().ok());
    waiter.Cancel();
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(mutex.owner(), nullptr);
  });
}

}  // namespace
}  // namespace grove
