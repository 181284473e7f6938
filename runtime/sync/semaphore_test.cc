#include "runtime/sync/semaphore.h"

#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using SemaphoreTest = HubTest;

TEST_F(SemaphoreTest, ServesWaitersFirstComeFirstServedAndLetsNobodyOvertake) {
  std::vector<int> order;
  Run([&] {
    Semaphore semaphore(1);
    ASSERT_TRUE(semaphore.Acquire().ok());
    for (int i = 0; i < 3; ++i) {
      (void)Spawn("waiter", [&, i] {
        (void)semaphore.Acquire();
        order.push_back(i);
        semaphore.Release();
      });
    }
    Yield();
    semaphore.Release();
    EXPECT_FALSE(semaphore.TryAcquire());  // it belongs to the first waiter already
    (void)semaphore.Acquire();
    order.push_back(9);
    semaphore.Release();
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 9}));
}

TEST_F(SemaphoreTest, StartingWithADebtIsAProgrammingError) {
  EXPECT_DEATH(Semaphore(-1), "can't start with a debt");
}

TEST_F(SemaphoreTest, ATimedOutWaiterTakesNoPermit) {
  Run([] {
    Semaphore semaphore(0);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(semaphore.Acquire()));
    }
    semaphore.Release();
    EXPECT_EQ(semaphore.free(), 1);
    EXPECT_EQ(semaphore.waiting(), 0u);
  });
}

}  // namespace
}  // namespace grove
