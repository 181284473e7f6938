#include "server/metrics/origin_cells.h"

#include <memory>
#include <set>

#include "gtest/gtest.h"
#include "server/metrics/scoreboard.h"

namespace grove::metrics {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

class OriginCellsTest : public ::testing::Test {
 protected:
  OriginCell* Find(uint64_t key, int64_t now = 0) { return cells_->Find(key, 2, now); }

  const std::unique_ptr<OriginCells> cells_ = std::make_unique<OriginCells>();
};

TEST_F(OriginCellsTest, HoldOneForEachOrigin) {
  OriginCell* const one = Find(7);
  EXPECT_EQ(Find(7), one);
  OriginCell* const other = Find(7 + kOriginsMax);
  EXPECT_NE(other, one) << "its place was taken";
  EXPECT_TRUE(cells_->Holds(*one, 7));
  EXPECT_FALSE(cells_->Holds(*one, 7 + kOriginsMax));
  EXPECT_EQ(cells_->claimed(), 2u);
}

TEST_F(OriginCellsTest, GiveToAnotherWhatHoldsNothing) {
  std::set<OriginCell*> places;
  for (uint64_t i = 0; i < kOriginPlaces; ++i) {
    OriginCell* const cell = Find(7 + i * kOriginsMax);
    cell->failures = i == 3 ? 0 : 1;
    cell->mean_ns = 5;
    places.insert(cell);
  }
  EXPECT_EQ(places.size(), kOriginPlaces);
  OriginCell* const third = Find(7 + 3 * kOriginsMax);
  OriginCell* const next = Find(7 + kOriginPlaces * kOriginsMax);
  EXPECT_EQ(next, third);
  EXPECT_FALSE(cells_->Holds(*third, 7 + 3 * kOriginsMax));
  EXPECT_EQ(next->mean_ns, 0) << "begins anew";
}

TEST_F(OriginCellsTest, RefuseOneWhileAllItsPlacesAreInUse) {
  for (uint64_t i = 0; i < kOriginPlaces; ++i) {
    OriginCell* const cell = Find(7 + i * kOriginsMax);
    if (i % 2 == 0) {
      EXPECT_TRUE(cell->running.Enter(1, 2, 9));
    } else {
      cell->not_before_ns = 5 * kSecond;
    }
  }
  const uint64_t one_more = 7 + kOriginPlaces * kOriginsMax;
  EXPECT_EQ(Find(one_more), nullptr);
  EXPECT_NE(Find(one_more, 5 * kSecond), nullptr);
}

TEST_F(OriginCellsTest, ForgetFailuresAfterAWhile) {
  for (uint64_t i = 0; i < kOriginPlaces; ++i) {
    OriginCell* const cell = Find(7 + i * kOriginsMax, kSecond);
    cell->failures = 3;
    cell->open_until_ns = 2 * kSecond;
  }
  const uint64_t one_more = 7 + kOriginPlaces * kOriginsMax;
  EXPECT_EQ(Find(one_more, 3 * kSecond), nullptr);
  EXPECT_NE(Find(one_more, kSecond + kOriginForgottenNs), nullptr);
}

TEST(ScoreboardOrigins, ADeathTakesBackWhatItsWorkerHadUnderWay) {
  Scoreboard board = *Scoreboard::Create(2);
  OriginCell& cell = *board.series().origins.Find(9, 2, 0);
  EXPECT_TRUE(cell.running.Enter(0, 2, 2));
  EXPECT_TRUE(cell.running.Enter(1, 2, 2));
  EXPECT_FALSE(cell.running.Enter(0, 2, 2));
  board.Fold(1);
  EXPECT_TRUE(cell.running.Enter(0, 2, 2));
  EXPECT_FALSE(cell.running.Enter(0, 2, 2));
}

}  // namespace
}  // namespace grove::metrics
