// Event, Semaphore, Queue, FiberPool, FiberPile and OffloadPool: what waits on park and unpark.
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "runtime/event.h"
#include "runtime/fiber_pile.h"
#include "runtime/fiber_pool.h"
#include "runtime/hub_fixture.h"
#include "runtime/offload.h"
#include "runtime/queue.h"
#include "runtime/semaphore.h"
#include "runtime/timeout.h"

namespace grove {
namespace {

using EventTest = HubTest;
using SemaphoreTest = HubTest;
using QueueTest = HubTest;
using FiberPoolTest = HubTest;
using FiberPileTest = HubTest;
using OffloadTest = HubTest;

TEST_F(EventTest, LetsAllWaitersThroughAndLaterOnesToo) {
  int through = 0;
  (void)Run([&] {
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

TEST_F(SemaphoreTest, ServesWaitersFirstComeFirstServedAndLetsNobodyOvertake) {
  std::vector<int> order;
  (void)Run([&] {
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

TEST_F(SemaphoreTest, ATimedOutWaiterTakesNoPermit) {
  (void)Run([] {
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
  (void)Run([&] {
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
  (void)Run([] {
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
  (void)Run([] {
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

TEST_F(FiberPoolTest, RunsAtMostItsSizeAtOnce) {
  (void)Run([] {
    FiberPool pool(2);
    int running = 0;
    int most = 0;
    for (int i = 0; i < 6; ++i) {
      ASSERT_TRUE(pool.Spawn({.name = "member"},
                             [&] {
                               most = std::max(most, ++running);
                               (void)Sleep(absl::Seconds(1));
                               --running;
                             })
                      .ok());
    }
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(most, 2);
    EXPECT_EQ(pool.free(), 2);
  });
}

TEST_F(FiberPoolTest, AMemberOfAFullPoolRunsTheBodyItself) {
  (void)Run([] {
    FiberPool pool(1);
    bool inner = false;
    (void)pool.Spawn({}, [&] { (void)pool.Spawn({}, [&] { inner = true; }); });
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_TRUE(inner);
  });
}

TEST_F(FiberPoolTest, GrowingLetsWaitersInAtOnce) {
  (void)Run([] {
    FiberPool pool(0);
    bool ran = false;
    auto spawner = *Spawn("spawner", [&] { (void)pool.Spawn({}, [&] { ran = true; }); });
    Yield();
    EXPECT_EQ(pool.waiting(), 1u);
    pool.Resize(1);
    EXPECT_TRUE(spawner.Join().ok());
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_TRUE(ran);
  });
}

TEST_F(FiberPileTest, YieldsResultsInSpawnOrderWithFailuresAtTheirPlace) {
  (void)Run([] {
    FiberPool pool(10);
    FiberPile<int> pile(pool);
    for (int i = 0; i < 4; ++i) {
      (void)pile.Spawn({}, [i]() -> absl::StatusOr<int> {
        (void)Sleep(absl::Seconds(4 - i));
        if (i == 1) return absl::NotFoundError("one");
        if (i == 2) throw std::runtime_error("two");
        return i;
      });
    }
    EXPECT_EQ(*pile.Next(), 0);
    EXPECT_TRUE(absl::IsNotFound(pile.Next().status()));
    EXPECT_EQ(pile.Next().status().code(), absl::StatusCode::kUnknown);
    EXPECT_EQ(*pile.Next(), 3);
    EXPECT_TRUE(absl::IsOutOfRange(pile.Next().status()));
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(FiberPileTest, DroppingItCancelsWhatStillRuns) {
  (void)Run([] {
    FiberPool pool(10);
    {
      FiberPile<int> pile(pool);
      (void)pile.Spawn({}, []() -> absl::StatusOr<int> {
        EXPECT_TRUE(absl::IsCancelled(Sleep(absl::Hours(1))));
        return 1;
      });
      Yield();
    }
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(FiberPileTest, DroppingItCancelsWhatHasNotStarted) {
  (void)Run([] {
    FiberPool pool(10);
    bool ran = false;
    {
      FiberPile<int> pile(pool);
      (void)pile.Spawn({}, [&ran]() -> absl::StatusOr<int> {
        ran = true;
        return 1;
      });
    }
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_FALSE(ran);
  });
}

TEST_F(FiberPoolTest, CancelAllReachesMembersThatHaveNotStarted) {
  (void)Run([] {
    FiberPool pool(2);
    bool ran = false;
    (void)pool.Spawn({}, [&ran] { ran = true; });
    pool.CancelAll();
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_FALSE(ran);
  });
}

TEST_F(OffloadTest, RunsOnAnotherThreadAndDeliversExceptions) {
  (void)Run([] {
    OffloadPool pool({.threads = 2});
    const std::thread::id here = std::this_thread::get_id();
    std::thread::id there = here;
    EXPECT_TRUE(pool.Run([&] { there = std::this_thread::get_id(); }).ok());
    EXPECT_NE(there, here);
    EXPECT_THROW((void)pool.Run([] { throw std::runtime_error("from the thread"); }),
                 std::runtime_error);
  });
}

TEST_F(OffloadTest, ACancelledCallIsDroppedWhileQueuedAndWaitedForWhileRunning) {
  (void)Run([] {
    OffloadPool pool({.threads = 1});
    absl::Notification started;
    absl::Notification release;
    std::atomic<bool> second_ran = false;
    bool first_done = false;
    auto first = *Spawn("first", [&] {
      EXPECT_TRUE(pool.Run([&] {
                        started.Notify();
                        release.WaitForNotification();
                      })
                      .ok());
      first_done = true;
    });
    auto second = *Spawn(
        "second", [&] { EXPECT_TRUE(absl::IsCancelled(pool.Run([&] { second_ran = true; }))); });
    Yield();
    started.WaitForNotification();
    second.Cancel();
    first.Cancel();
    EXPECT_TRUE(second.Join().ok());
    Yield();
    EXPECT_FALSE(first_done);
    release.Notify();
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(first_done);
    EXPECT_FALSE(second_ran);
  });
}

}  // namespace
}  // namespace grove
