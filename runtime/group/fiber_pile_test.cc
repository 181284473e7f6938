#include "runtime/group/fiber_pile.h"

#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using FiberPileTest = HubTest;

absl::StatusOr<int> Fails() {
  throw std::runtime_error("thrown");
}

TEST_F(FiberPileTest, YieldsResultsInSpawnOrderWithFailuresAtTheirPlace) {
  Run([] {
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
  Run([] {
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
  Run([] {
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

TEST_F(FiberPileTest, AnExceptionStandsAtItsPlaceWithItsTextWhoeverRunsTheBody) {
  Run([] {
    FiberPool pool(1);
    (void)pool.Spawn({}, [&] {  // a member of a full pool runs bodies itself
      FiberPile<int> pile(pool);
      EXPECT_TRUE(pile.Spawn({}, Fails).ok());
      EXPECT_TRUE(pile.Spawn({}, [] { return 2; }).ok());
      const absl::Status failed = pile.Next().status();
      EXPECT_EQ(failed.code(), absl::StatusCode::kUnknown);
      EXPECT_NE(failed.message().find("thrown"), failed.message().npos);
      EXPECT_EQ(*pile.Next(), 2);
    });
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

TEST_F(FiberPileTest, ATimeoutOfTheTakersLosesNoResult) {
  Run([] {
    FiberPool pool(2);
    FiberPile<int> pile(pool);
    (void)pile.Spawn({}, [] {
      (void)Sleep(absl::Seconds(2));
      return 7;
    });
    bool waited = true;
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(pile.Next(&waited).status()));
      EXPECT_FALSE(waited);
    }
    EXPECT_EQ(*pile.Next(&waited), 7);
    EXPECT_TRUE(waited);
  });
}

TEST_F(FiberPileTest, SeveralShareOnePoolAndAnotherFiberMayTake) {
  Run([] {
    FiberPool pool(2);
    FiberPile<int> ones(pool);
    FiberPile<int> twos(pool);
    auto taker = *Spawn("taker", [&] {
      for (int i = 0; i < 3; ++i) EXPECT_EQ(*twos.Next(), 2);
    });
    for (int i = 0; i < 3; ++i) {
      (void)ones.Spawn({}, [] { return 1; });
      (void)twos.Spawn({}, [] { return 2; });
    }
    EXPECT_TRUE(taker.Join().ok());
    EXPECT_EQ(ones.pending(), 3u);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(*ones.Next(), 1);
    EXPECT_TRUE(pool.WaitAll().ok());
  });
}

static_assert(std::ranges::input_range<FiberPile<int>>);

TEST_F(FiberPileTest, ALoopOverItSeesResultsAndFailuresInOrderAndThenEnds) {
  Run([] {
    FiberPool pool(10);
    FiberPile<int> pile(pool);
    for (int i = 0; i < 3; ++i) {
      (void)pile.Spawn({}, [i]() -> absl::StatusOr<int> {
        (void)Sleep(absl::Seconds(3 - i));
        if (i == 1) return absl::CancelledError("of its own");
        return i;
      });
    }
    std::vector<int> seen;
    for (absl::StatusOr<int>& result : pile) seen.push_back(result.ok() ? *result : -1);
    EXPECT_EQ(seen, (std::vector<int>{0, -1, 2}));
  });
}

TEST_F(FiberPileTest, ALoopThatIsInterruptedGetsTheErrorAsItsLastElement) {
  Run([] {
    FiberPool pool(10);
    FiberPile<int> pile(pool);
    for (int i = 0; i < 2; ++i) {
      (void)pile.Spawn({}, [i]() -> absl::StatusOr<int> {
        (void)Sleep(absl::Seconds(10));
        return i;
      });
    }
    int elements = 0;
    {
      Timeout timeout(absl::Seconds(1));
      for (absl::StatusOr<int>& result : pile) {
        ++elements;
        EXPECT_TRUE(absl::IsDeadlineExceeded(result.status()));
      }
    }
    EXPECT_EQ(elements, 1);
    std::vector<int> seen;
    for (absl::StatusOr<int>& result : pile) seen.push_back(*result);
    EXPECT_EQ(seen, (std::vector<int>{0, 1}));  // nothing was lost
  });
}

}  // namespace
}  // namespace grove
