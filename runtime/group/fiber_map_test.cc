#include "runtime/group/fiber_map.h"

#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

class FiberMapTest : public HubTest {
 protected:
  // The values of all items that succeed, the codes of the others as negative numbers.
  template <typename Map>
  static std::vector<int> Collect(Map& map) {
    std::vector<int> results;
    for (auto next = map.Next(); next.ok() && next->has_value(); next = map.Next()) {
      const absl::StatusOr<int>& result = **next;
      results.push_back(result.ok() ? *result : -static_cast<int>(result.status().code()));
    }
    return results;
  }
};

// 0, 1, 2, … without end, counting what was taken.
struct Naturals {
  int* taken;
  int operator*() const { return *taken; }
  Naturals& operator++() {
    ++*taken;
    return *this;
  }
  bool operator==(const Naturals&) const { return false; }
};

TEST_F(FiberMapTest, DeliversInOrderThoughLaterItemsEndFirst) {
  Run([] {
    FiberPool pool(3);
    const std::vector<int> items{5, 4, 3, 2, 1};
    auto map = Imap(pool, items, [](int item) {
      (void)Sleep(absl::Seconds(item));
      return item * 10;
    });
    EXPECT_EQ(Collect(map), (std::vector<int>{50, 40, 30, 20, 10}));
  });
}

TEST_F(FiberMapTest, AFailingItemStandsAtItsPlaceAndTheRestStillCome) {
  Run([] {
    FiberPool pool(2);
    const std::vector<int> items{0, 1, 2, 3};
    auto map = Imap(pool, items, [](int item) -> absl::StatusOr<int> {
      if (item == 1) return absl::NotFoundError("one");
      if (item == 2) throw std::runtime_error("two");
      return item;
    });
    EXPECT_EQ(Collect(map), (std::vector<int>{0, -static_cast<int>(absl::StatusCode::kNotFound),
                                              -static_cast<int>(absl::StatusCode::kUnknown), 3}));
  });
}

TEST_F(FiberMapTest, TakesNoMoreOfAnEndlessSourceThanThePoolsSizeAhead) {
  Run([] {
    int taken = 0;
    FiberPool pool(4);
    int running = 0;
    int most = 0;
    auto map = Imap(pool, Naturals{&taken}, Naturals{&taken}, [&](int item) {
      most = std::max(most, ++running);
      (void)Sleep(absl::Seconds(1));
      --running;
      return item;
    });
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(***map.Next(), i);
      EXPECT_LE(map.pending(), 4u);
      EXPECT_LE(taken, i + 4);
    }
    EXPECT_EQ(most, 4);
    pool.CancelAll();
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(FiberMapTest, StarmapPassesThePartsOfEachItem) {
  Run([] {
    FiberPool pool(2);
    std::vector<std::tuple<int, int>> items{{1, 2}, {3, 4}};
    auto map = Starmap(pool, items, [](int a, int b) { return a * 10 + b; });
    EXPECT_EQ(Collect(map), (std::vector<int>{12, 34}));
  });
}

TEST_F(FiberMapTest, ItsItemsAreMembersOfThePoolThatWaitAllWaitsFor) {
  Run([this] {
    FiberPool pool(3);
    const std::vector<int> items{5, 4, 3};
    auto map = Imap(pool, items, [](int item) {
      (void)Sleep(absl::Seconds(item));
      return item;
    });
    {
      Timeout timeout(absl::Seconds(1));
      (void)map.Next();  // begins them
    }
    EXPECT_EQ(pool.running(), 3);
    const MonotonicNanos begun = hub_->now();
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(absl::Nanoseconds(hub_->now() - begun), absl::Seconds(4));
    EXPECT_EQ(Collect(map), (std::vector<int>{5, 4, 3}));
  });
}

TEST_F(FiberMapTest, OfNothingItEndsAtOnceAndStaysAtTheEnd) {
  Run([] {
    FiberPool pool(2);
    const std::vector<int> none;
    auto map = Imap(pool, none, [](int item) { return item; });
    EXPECT_FALSE(map.Next()->has_value());
    EXPECT_FALSE(map.Next()->has_value());
  });
}

TEST_F(FiberMapTest, ATimeoutOfTheCallersLosesNoItem) {
  Run([] {
    FiberPool pool(2);
    const std::vector<int> items{1, 2, 3};
    auto map = Imap(pool, items, [](int item) {
      (void)Sleep(absl::Seconds(10));
      return item;
    });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(map.Next().status()));
    }
    EXPECT_EQ(Collect(map), (std::vector<int>{1, 2, 3}));
  });
}

TEST_F(FiberMapTest, WhileOthersFillThePoolItWaitsForAPlaceAndLosesNoItem) {
  Run([] {
    FiberPool pool(1);
    (void)pool.Spawn({}, [] { (void)Sleep(absl::Seconds(10)); });
    const std::vector<int> items{1, 2};
    auto map = Imap(pool, items, [](int item) { return item; });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(map.Next().status()));
    }
    EXPECT_EQ(Collect(map), (std::vector<int>{1, 2}));
  });
}

TEST_F(FiberMapTest, AMemberOfAFullPoolRunsItemsItselfFailuresIncluded) {
  Run([] {
    FiberPool pool(1);
    std::vector<int> results;
    (void)pool.Spawn({}, [&] {
      const std::vector<int> items{1, 2, 3};
      auto map = Imap(pool, items, [](int item) {
        if (item == 2) throw std::runtime_error("two");
        return item;
      });
      results = Collect(map);
    });
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(results, (std::vector<int>{1, -static_cast<int>(absl::StatusCode::kUnknown), 3}));
  });
}

TEST_F(FiberMapTest, DroppingItCancelsWhatStillRuns) {
  Run([] {
    FiberPool pool(2);
    int cancelled = 0;
    {
      const std::vector<int> items{1, 2};
      auto map = Imap(pool, items, [&cancelled](int) {
        const bool was = absl::IsCancelled(Sleep(absl::Hours(1)));
        cancelled += was;
        return was;
      });
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(map.Next().status()));
    }
    EXPECT_TRUE(pool.WaitAll().ok());
    EXPECT_EQ(cancelled, 2);
  });
}

}  // namespace
}  // namespace grove
