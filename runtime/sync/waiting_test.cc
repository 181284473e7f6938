// Event, Semaphore and Queue: what waits on park and unpark.
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"
#include "runtime/sync/queue.h"
#include "runtime/sync/semaphore.h"

namespace grove {
namespace {

using EventTest = HubTest;
using SemaphoreTest = HubTest;
using QueueTest = HubTest;

TEST_F(EventTest, LetsAllWaitersThroughAndLaterOnesToo) {
  int through = 0;
  Run([&] {
    Event event;
    for (int i = 0; i < 3; ++i) (void)Spawn("waiter", [&] { through += event.Wait().ok(); });
    Yield();
    EXPECT_EQ(event.waiting(), 3u);
    event.Set();
    EXPECT_TRUE(event.Wait().ok());
    Yield();
  });
  EXPECT_EQ(through, 3);
}

TEST_F(EventTest, AResetOneIsWaitedForAgainAndThoseLetThroughStayThrough) {
  Run([] {
    Event event;
    auto waiter = *Spawn("waiter", [&] { EXPECT_TRUE(event.Wait().ok()); });
    Yield();
    event.Set();
    event.Reset();
    EXPECT_FALSE(event.ready());
    EXPECT_TRUE(waiter.Join().ok());
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(event.Wait()));
  });
}

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

TEST_F(QueueTest, KeepsOrderAndParksPutterWhileFull) {
  std::vector<int> got;
  Run([&] {
    Queue<int> queue(2);
    auto producer = *Spawn("producer", [&] {
      for (int i = 0; i < 6; ++i) EXPECT_TRUE(queue.Put(i).ok());
      queue.Close();
    });
    Yield();
    EXPECT_EQ(queue.putting(), 1u);
    for (auto value = queue.Get(); value.ok(); value = queue.Get()) got.push_back(*value);
    EXPECT_TRUE(producer.Join().ok());
  });
  EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

TEST_F(QueueTest, WithoutCapacityIsARendezvous) {
  Run([] {
    Queue<std::string> queue(0);
    std::string value = "no getter";
    EXPECT_FALSE(queue.TryPut(std::move(value)));
    EXPECT_EQ(value, "no getter");
    auto getter = *Spawn("getter", [&] { EXPECT_EQ(*queue.Get(), "handed over"); });
    EXPECT_TRUE(queue.Put("handed over").ok());
    EXPECT_TRUE(getter.Join().ok());
  });
}

TEST_F(QueueTest, CloseWakesGettersAndPutters) {
  Run([] {
    Queue<int> empty;
    Queue<int> full(0);
    auto getter = *Spawn("getter", [&] { EXPECT_TRUE(absl::IsOutOfRange(empty.Get().status())); });
    auto putter = *Spawn("putter", [&] { EXPECT_TRUE(absl::IsFailedPrecondition(full.Put(1))); });
    Yield();
    empty.Close();
    full.Close();
    EXPECT_TRUE(getter.Join().ok());
    EXPECT_TRUE(putter.Join().ok());
  });
}

}  // namespace
}  // namespace grove
