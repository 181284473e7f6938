#include "runtime/hub.h"

#include <stdexcept>
#include <thread>
#include <vector>

#include "runtime/event.h"
#include "runtime/hub_fixture.h"
#include "runtime/timeout.h"

namespace grove {
namespace {

TEST_F(HubTest, RunReturnsTheMainFibersStatus) {
  EXPECT_TRUE(Run([] {}).ok());
  EXPECT_TRUE(absl::IsAborted(Run([] { return absl::AbortedError("no"); })));
  EXPECT_THROW((void)Run([]() -> absl::Status { throw std::runtime_error("x"); }),
               std::runtime_error);
}

TEST_F(HubTest, SleepEndsAtItsDeadlineNotBefore) {
  (void)Run([this] {
    const MonotonicNanos start = hub_->now();
    EXPECT_TRUE(Sleep(absl::Milliseconds(1500)).ok());
    EXPECT_EQ(hub_->now() - start, 1'500'000'000);
  });
}

TEST_F(HubTest, EqualDeadlinesFireInOrderOfArming) {
  std::vector<int> order;
  (void)Run([&] {
    for (int i = 0; i < 5; ++i) {
      (void)Spawn("sleeper", [&order, i] {
        (void)Sleep(absl::Seconds(1));
        order.push_back(i);
      });
    }
    (void)Sleep(absl::Seconds(2));
  });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(HubTest, TimersFireWhileFibersKeepYielding) {
  (void)Run([this] {
    bool stop = false;
    auto busy = *Spawn("busy", [&] {
      while (!stop) {
        clock_.Advance(absl::Milliseconds(1));
        Yield();
      }
    });
    EXPECT_TRUE(Sleep(absl::Milliseconds(100)).ok());
    stop = true;
    EXPECT_TRUE(busy.Join().ok());
  });
}

TEST_F(HubTest, PostRunsOnTheHubFromAnotherThread) {
  (void)Run([this] {
    Event posted;
    std::thread other([&] { hub_->Post([&] { posted.Set(); }); });
    EXPECT_TRUE(posted.Wait().ok());
    other.join();
  });
}

TEST_F(HubTest, ParkingOutsideAFiberDies) {
  EXPECT_DEATH((void)Run([this] {
                 hub_->Post([] { (void)Sleep(absl::Seconds(1)); });
                 (void)Sleep(absl::Seconds(1));
               }),
               "only fibers may wait|outside a fiber");
}

TEST_F(HubTest, TimeoutBoundsEveryParkInItsScope) {
  (void)Run([] {
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(2))));
      EXPECT_TRUE(timeout.fired());
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(2))));
    }
    EXPECT_TRUE(Sleep(absl::Seconds(2)).ok());
  });
}

TEST_F(HubTest, NestedTimeoutsKnowWhichOneFired) {
  (void)Run([] {
    Timeout outer(absl::Seconds(5));
    {
      Timeout inner(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(10))));
      EXPECT_TRUE(inner.fired());
      EXPECT_FALSE(outer.fired());
    }
    {
      Timeout inner(absl::Seconds(60));
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(10))));
      EXPECT_FALSE(inner.fired());
      EXPECT_TRUE(outer.fired());
    }
    EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(1))));
  });
}

TEST_F(HubTest, AnEventServedInTheTurnOfATimeoutCounts) {
  (void)Run([] {
    Event event;
    auto waiter = *Spawn("waiter", [&] {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(event.Wait().ok());
    });
    auto setter = *Spawn("setter", [&] {
      (void)Sleep(absl::Seconds(1));
      event.Set();
    });
    // The waiter's timer fires first, but the setter runs before the waiter looks.
    (void)setter;
    auto early = *Spawn("early", [&] {
      (void)Sleep(absl::Milliseconds(999));
      event.Set();
    });
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_TRUE(setter.Join().ok());
  });
}

}  // namespace
}  // namespace grove
