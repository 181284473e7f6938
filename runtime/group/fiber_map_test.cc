#include "runtime/group/fiber_map.h"

#include <iterator>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/status_macros.h"

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

TEST_F(FiberMapTest, ALoopOverItSeesResultsAndFailuresInOrderAndThenEnds) {
  Run([] {
    FiberPool pool(2);
    const std::vector<int> items = {1, 2, 3, 4};
    const auto halve = [](int item) -> absl::StatusOr<int> {
      (void)Sleep(absl::Seconds(5 - item));
      if (item % 2 != 0) return absl::InvalidArgumentError("odd");
      return item / 2;
    };
    static_assert(std::ranges::input_range<decltype(Imap(pool, items, halve))>);
    std::vector<int> seen;
    for (absl::StatusOr<int>& half : Imap(pool, items, halve)) {
      seen.push_back(half.ok() ? *half : -1);
    }
    EXPECT_EQ(seen, (std::vector<int>{-1, 1, -1, 2}));
  });
}

TEST_F(FiberMapTest, ALoopThatIsInterruptedGetsTheErrorAsItsLastElement) {
  Run([] {
    FiberPool pool(1);
    const std::vector<int> items = {1, 2};
    auto slow = Imap(pool, items, [](int item) -> absl::StatusOr<int> {
      GROVE_RETURN_IF_ERROR(Sleep(absl::Seconds(10)));
      return item;
    });
    int elements = 0;
    {
      Timeout timeout(absl::Seconds(1));
      for (absl::StatusOr<int>& result : slow) {
        ++elements;
        EXPECT_TRUE(absl::IsDeadlineExceeded(result.status()));
      }
    }
    EXPECT_EQ(elements, 1);
    std::vector<int> seen;
    for (absl::StatusOr<int>& result : slow) seen.push_back(*result);
    EXPECT_EQ(seen, items);  // nothing was lost
  });
}

// What is read once, as it comes: the source of a map, and a map as the source of another.
TEST_F(FiberMapTest, MapsOverWhatCanBeReadOnlyOnce) {
  Run([] {
    FiberPool pool(2);
    std::istringstream words("a bb ccc");
    auto lengths =
        Imap(pool, std::istream_iterator<std::string>(words), std::istream_iterator<std::string>(),
             [](const std::string& word) { return static_cast<int>(word.size()); });
    auto doubled = Imap(pool, lengths, [](absl::StatusOr<int>& length) -> absl::StatusOr<int> {
      GROVE_ASSIGN_OR_RETURN(const int value, length);
      return 2 * value;
    });
    std::vector<int> seen;
    for (absl::StatusOr<int>& each : doubled) seen.push_back(*each);
    EXPECT_EQ(seen, (std::vector<int>{2, 4, 6}));
  });
}

}  // namespace
}  // namespace grove
