#include "runtime/group/resource_pool.h"

#include <stdexcept>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

// Resources are numbers, in the order of their making.
class ResourcePoolTest : public HubTest {
 protected:
  using Pool = ResourcePool<int>;
  Pool::Options Numbers() {
    Pool::Options options;
    options.max = 2;
    options.create = [this]() -> absl::StatusOr<int> { return ++made_; };
    return options;
  }
  // Takes two, so that 1 and 2 are idle, 1 for longer.
  static void TakeTwo(Pool& pool) {
    auto first = *pool.Take();
    auto second = *pool.Take();
    { auto put_back = std::move(first); }
  }
  int made_ = 0;
};

TEST_F(ResourcePoolTest, LendsAtMostItsMaxAndServesWaitersInOrder) {
  Run([this] {
    Pool pool(Numbers());
    std::vector<int> order;
    int lent_most = 0;
    std::vector<FiberHandle> users;
    users.reserve(6);
    for (int i = 0; i < 6; ++i) {
      users.push_back(*Spawn("user", [&, i] {
        auto lease = *pool.Take();
        order.push_back(i);
        lent_most = std::max<int>(lent_most, pool.lent());
        (void)Sleep(absl::Seconds(1));
      }));
    }
    for (FiberHandle& user : users) EXPECT_TRUE(user.Join().ok());
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(lent_most, 2);
    EXPECT_EQ(made_, 2);
    EXPECT_EQ(pool.idle(), 2);
  });
}

TEST_F(ResourcePoolTest, LifoLendsTheOneUsedLastAndFifoTheOneUnusedLongest) {
  Run([this] {
    for (auto [order, expected] : {std::pair(Pool::Order::kLifo, 2), {Pool::Order::kFifo, 1}}) {
      made_ = 0;
      Pool::Options options = Numbers();
      options.order = order;
      Pool pool(std::move(options));
      TakeTwo(pool);
      EXPECT_EQ(**pool.Take(), expected);
    }
  });
}

TEST_F(ResourcePoolTest, AFailureToMakeOneCostsNoPlace) {
  Run([] {
    Pool::Options options;
    options.max = 1;
    int calls = 0;
    options.create = [&calls]() -> absl::StatusOr<int> {
      if (++calls == 1) return absl::UnavailableError("refused");
      if (calls == 2) throw std::runtime_error("broken");
      return calls;
    };
    Pool pool(std::move(options));
    EXPECT_TRUE(absl::IsUnavailable(pool.Take().status()));
    EXPECT_THROW((void)pool.Take(), std::runtime_error);
    EXPECT_EQ(pool.size(), 0);
    EXPECT_EQ(**pool.Take(), 3);
  });
}

TEST_F(ResourcePoolTest, ATimeoutWhileOneIsMadeOrWaitedForCostsNoPlace) {
  Run([this] {
    Pool::Options options = Numbers();
    options.max = 1;
    absl::Duration takes = absl::Seconds(5);
    options.create = [&]() -> absl::StatusOr<int> {
      if (absl::Status slept = Sleep(takes); !slept.ok()) return slept;
      return ++made_;
    };
    Pool pool(std::move(options));
    const auto take = [&pool] {
      Timeout timeout(absl::Seconds(1));
      return pool.Take().status();
    };
    EXPECT_TRUE(absl::IsDeadlineExceeded(take()));  // in create
    EXPECT_EQ(pool.size(), 0);
    takes = absl::ZeroDuration();
    {
      auto lease = *pool.Take();
      EXPECT_TRUE(absl::IsDeadlineExceeded(take()));  // for the one that is lent
      EXPECT_EQ(pool.waiting(), 0u);
    }
    EXPECT_EQ(**pool.Take(), 1);
  });
}

TEST_F(ResourcePoolTest, IdleAndAgeLimitsHoldAtTheirBoundAndMinIsSparedOfTheFirst) {
  Run([this] {
    Pool::Options options = Numbers();
    options.min = 1;
    options.idle_max = absl::Seconds(10);
    options.age_max = absl::Seconds(30);
    Pool pool(std::move(options));
    TakeTwo(pool);
    (void)Sleep(absl::Seconds(10) - absl::Nanoseconds(1));
    pool.Prune();
    EXPECT_EQ(pool.idle(), 2);
    (void)Sleep(absl::Nanoseconds(1));
    pool.Prune();
    EXPECT_EQ(pool.idle(), 1);
    (void)Sleep(absl::Seconds(20));
    EXPECT_EQ(**pool.Take(), 3);
  });
}

TEST_F(ResourcePoolTest, TheHealthCheckSortsOutSickOnes) {
  Run([this] {
    Pool::Options options = Numbers();
    options.healthy = [](int& number) { return number != 2; };
    Pool pool(std::move(options));
    TakeTwo(pool);
    EXPECT_EQ(**pool.Take(), 1);
    EXPECT_EQ(pool.size(), 1);
  });
}

TEST_F(ResourcePoolTest, AnInterruptedHealthCheckSparesTheOtherResources) {
  Run([this] {
    Pool::Options options = Numbers();
    options.healthy = [](int&) { return Sleep(absl::Seconds(5)).ok(); };
    Pool pool(std::move(options));
    TakeTwo(pool);
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(pool.Take().status()));
    EXPECT_EQ(pool.idle(), 1);
    EXPECT_EQ(pool.lent(), 0);
  });
}

TEST_F(ResourcePoolTest, ShrinkingDropsIdleOnesAndThenThosePutBack) {
  Run([this] {
    Pool::Options options = Numbers();
    options.max = 3;
    Pool pool(std::move(options));
    auto first = *pool.Take();
    auto second = *pool.Take();
    { auto third = *pool.Take(); }
    pool.Resize(1);
    EXPECT_EQ(pool.idle(), 0);
    { auto put_back = std::move(first); }
    EXPECT_EQ(pool.idle(), 0);
    { auto put_back = std::move(second); }
    EXPECT_EQ(pool.idle(), 1);
    EXPECT_EQ(pool.size(), 1);
  });
}

TEST_F(ResourcePoolTest, ADroppedResourceMakesRoomForANewOne) {
  Run([this] {
    Pool::Options options = Numbers();
    options.max = 1;
    Pool pool(std::move(options));
    auto lease = *pool.Take();
    auto waiter = *Spawn("waiter", [&] { EXPECT_EQ(**pool.Take(), 2); });
    Yield();
    EXPECT_EQ(pool.waiting(), 1u);
    lease.Drop();
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(ResourcePoolTest, ClearDropsTheIdleOnesAndLeavesTheLentToTheirLeases) {
  Run([this] {
    Pool pool(Numbers());
    auto lent = *pool.Take();
    { auto idle = *pool.Take(); }
    EXPECT_EQ(pool.max() - pool.lent(), 1);
    EXPECT_EQ(pool.idle(), 1);
    pool.Clear();
    EXPECT_EQ(pool.idle(), 0);
    EXPECT_EQ(pool.lent(), 1);
    EXPECT_EQ(**pool.Take(), 3);  // the cleared one is not lent again
    lent.Drop();
    EXPECT_EQ(pool.lent(), 0);
    EXPECT_EQ(pool.max() - pool.lent(), 2);
  });
}

TEST_F(ResourcePoolTest, FillMakesTheMinimum) {
  Run([this] {
    Pool::Options options = Numbers();
    options.min = 2;
    Pool pool(std::move(options));
    EXPECT_TRUE(pool.Fill().ok());
    EXPECT_EQ(pool.idle(), 2);
  });
}

TEST_F(ResourcePoolTest, IsCleanedWhenItIsPutBackAndDroppedIfThatFails) {
  Run([this] {
    int cleaned = 0;
    bool clean = true;
    Pool::Options options = Numbers();
    options.max = 1;
    options.clean = [&](int&) {
      ++cleaned;
      return Sleep(absl::Seconds(1)).ok() && clean;
    };
    Pool pool(std::move(options));
    (*pool.Take()).PutBack();
    EXPECT_EQ(cleaned, 1);
    EXPECT_EQ(pool.idle(), 1);
    auto lease = *pool.Take();
    auto waiter = *Spawn("waiter", [&] { EXPECT_EQ(**pool.Take(), 2); });
    clean = false;
    lease.PutBack();
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(pool.size(), 0);  // the waiter's lease just died
  });
}

TEST_F(ResourcePoolTest, WhatNobodyCleanedIsNotLentAgain) {
  Run([this] {
    Pool::Options options = Numbers();
    options.clean = [](int&) -> bool { throw std::runtime_error("the connection is gone"); };
    Pool pool(std::move(options));
    { auto died = *pool.Take(); }
    EXPECT_THROW((*pool.Take()).PutBack(), std::runtime_error);
    EXPECT_EQ(pool.size(), 0);
    EXPECT_EQ(**pool.Take(), 3);
  });
}

}  // namespace
}  // namespace grove
