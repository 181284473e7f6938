// What the waiting primitives promise in whatever order fibers run: each test runs on many seeds.
//
// A failure names its seed; GROVE_SHUFFLE_SEED runs that one alone.
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "runtime/group/fiber_group.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/condition.h"
#include "runtime/sync/event.h"
#include "runtime/sync/mutex.h"
#include "runtime/sync/queue.h"
#include "runtime/sync/semaphore.h"

namespace grove {
namespace {

std::vector<uint64_t> Seeds() {
  uint64_t only = 0;
  const char* const chosen = getenv("GROVE_SHUFFLE_SEED");
  if (chosen != nullptr && absl::SimpleAtoi(chosen, &only)) return {only};
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= 50; ++seed) seeds.push_back(seed * 0x9e3779b97f4a7c15);
  return seeds;
}

class Shuffled : public HubTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  Shuffled() : HubTest(HubOptions{.shuffle_seed = GetParam()}) {}

  void TearDown() override {
    HubTest::TearDown();
    if (HasFailure()) ADD_FAILURE() << "the seed was GROVE_SHUFFLE_SEED=" << GetParam();
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, Shuffled, ::testing::ValuesIn(Seeds()));

TEST_P(Shuffled, AQueueLosesAndDoublesNothing) {
  constexpr int kProducers = 5;
  constexpr int kEach = 40;
  std::multiset<int> got;
  Run([&] {
    Queue<int> queue(3);
    FiberGroup producers;
    FiberGroup consumers;
    for (int p = 0; p < kProducers; ++p) {
      (void)producers.Spawn("producer", [&queue, p] {
        for (int i = 0; i < kEach; ++i) EXPECT_TRUE(queue.Put(p * kEach + i).ok());
      });
      (void)consumers.Spawn("consumer", [&] {
        for (auto value = queue.Get(); value.ok(); value = queue.Get()) {
          got.insert(*value);
          if (*value % 3 == 0) Yield();
        }
      });
    }
    EXPECT_TRUE(producers.Join().ok());
    queue.Close();
    EXPECT_TRUE(consumers.Join().ok());
  });
  EXPECT_EQ(got.size(), static_cast<size_t>(kProducers * kEach));
  EXPECT_EQ(std::set<int>(got.begin(), got.end()).size(), got.size());
}

TEST_P(Shuffled, ARendezvousHandsEachValueToOneGetter) {
  std::multiset<int> got;
  Run([&] {
    Queue<int> queue(0);
    FiberGroup group;
    for (int i = 0; i < 20; ++i) {
      (void)group.Spawn("putter", [&queue, i] { EXPECT_TRUE(queue.Put(i).ok()); });
      (void)group.Spawn("getter", [&] { got.insert(*queue.Get()); });
    }
    EXPECT_TRUE(group.Join().ok());
  });
  EXPECT_EQ(std::set<int>(got.begin(), got.end()).size(), 20u);
}

TEST_P(Shuffled, AMutexHasOneHolder) {
  int inside = 0;
  int rounds = 0;
  Run([&] {
    Mutex mutex;
    FiberGroup group;
    for (int i = 0; i < 10; ++i) {
      (void)group.Spawn("locker", [&] {
        for (int round = 0; round < 10; ++round) {
          MutexLock lock(mutex);
          EXPECT_EQ(++inside, 1);
          Yield();
          --inside;
          ++rounds;
        }
      });
    }
    EXPECT_TRUE(group.Join().ok());
  });
  EXPECT_EQ(rounds, 100);
}

TEST_P(Shuffled, ASemaphoreAdmitsNoMoreThanItsPermitsAlsoWithTimeoutsAndCancels) {
  int inside = 0;
  Run([&] {
    Semaphore permits(3);
    FiberGroup group;
    std::vector<FiberHandle> fibers;
    for (int i = 0; i < 30; ++i) {
      auto fiber = group.Spawn("worker", [&, i] {
        Timeout timeout(i % 3 == 0 ? absl::Milliseconds(i) : absl::InfiniteDuration());
        if (!permits.Acquire().ok()) return;
        EXPECT_LE(++inside, 3);
        (void)Sleep(absl::Milliseconds(i % 4));
        --inside;
        permits.Release();
      });
      fibers.push_back(*fiber);
    }
    Yield();
    for (size_t i = 0; i < fibers.size(); i += 5) fibers[i].Cancel();
    (void)group.Join();
    EXPECT_EQ(permits.free(), 3);
    fibers.clear();
  });
}

TEST_P(Shuffled, AConditionWakesEveryFiberThatWaitsForIt) {
  int woken = 0;
  Run([&] {
    Mutex mutex;
    Condition changed(mutex);
    bool ready = false;
    FiberGroup group;
    for (int i = 0; i < 10; ++i) {
      (void)group.Spawn("waiter", [&] {
        MutexLock lock(mutex);
        EXPECT_TRUE(changed.WaitUntil([&] { return ready; }).ok());
        ++woken;
      });
    }
    (void)group.Spawn("setter", [&] {
      MutexLock lock(mutex);
      ready = true;
      changed.NotifyAll();
    });
    EXPECT_TRUE(group.Join().ok());
  });
  EXPECT_EQ(woken, 10);
}

TEST_P(Shuffled, APoolNeverRunsMoreThanItsSize) {
  int inside = 0;
  int ran = 0;
  Run([&] {
    FiberPool pool(4);
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(pool.Spawn({.name = "member"},
                             [&] {
                               EXPECT_LE(++inside, 4);
                               Yield();
                               --inside;
                               ++ran;
                             })
                      .ok());
    }
    EXPECT_TRUE(pool.WaitAll().ok());
  });
  EXPECT_EQ(ran, 50);
}

class ShuffledOrder : public HubTest {
 protected:
  explicit ShuffledOrder(uint64_t seed) : HubTest(HubOptions{.shuffle_seed = seed}) {}
  void TestBody() override {}
  void TearDown() override {}

 public:
  static std::vector<int> Of(uint64_t seed) {
    ShuffledOrder test(seed);
    std::vector<int> order;
    (void)test.Run([&] {
      FiberGroup group;
      for (int i = 0; i < 20; ++i) (void)group.Spawn("f", [&order, i] { order.push_back(i); });
      (void)group.Join();
    });
    return order;
  }
};

TEST(Shuffle, RepeatsWithItsSeedAndDiffersWithoutIt) {
  EXPECT_EQ(ShuffledOrder::Of(1), ShuffledOrder::Of(1));
  EXPECT_NE(ShuffledOrder::Of(1), ShuffledOrder::Of(2));
  EXPECT_NE(ShuffledOrder::Of(1), ShuffledOrder::Of(0));
}

}  // namespace
}  // namespace grove
