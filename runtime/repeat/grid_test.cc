#include "runtime/repeat/grid.h"

#include <gtest/gtest.h>

namespace grove {
namespace {

TEST(Grid, StaysOnItsPointsHoweverLateTheRunsAre) {
  Grid grid(1000, absl::Nanoseconds(100));
  EXPECT_EQ(grid.at(), 1000);
  EXPECT_EQ(grid.Advance(1001).at, 1100);
  EXPECT_EQ(grid.Advance(1199).at, 1200);
  EXPECT_EQ(grid.Advance(1300).at, 1300);  // just in time: nothing is missed
  EXPECT_EQ(grid.at(), 1300);
}

TEST(Grid, MovesOnEvenIfToldAnEarlierTime) {
  Grid grid(1000, absl::Nanoseconds(100));
  EXPECT_EQ(grid.Advance(900).at, 1100);
  EXPECT_EQ(grid.Advance(900).at, 1200);
}

TEST(Grid, SkipsThePointsThatPassed) {
  Grid grid(1000, absl::Nanoseconds(100));
  Grid::Step step = grid.Advance(1101);
  EXPECT_EQ(step.at, 1200);
  EXPECT_EQ(step.skipped, 1);
  EXPECT_EQ(step.outlasted_by, absl::Nanoseconds(1));
  step = grid.Advance(1600);  // exactly on a point: 1300, 1400 and 1500 are lost, 1600 is not
  EXPECT_EQ(step.at, 1600);
  EXPECT_EQ(step.skipped, 3);
  EXPECT_EQ(grid.Advance(1601).at, 1700);
}

TEST(Grid, TellsThePointAfterATime) {
  const Grid grid(1000, absl::Nanoseconds(100));
  EXPECT_EQ(grid.After(999), 1000);
  EXPECT_EQ(grid.After(1000), 1100);
  EXPECT_EQ(grid.After(1099), 1100);
  EXPECT_EQ(grid.After(1100), 1200);
  EXPECT_EQ(grid.After(1777), 1800);
  EXPECT_EQ(grid.at(), 1000);
}

TEST(Grid, SaturatesAtTheEndOfTime) {
  Grid grid(1000, absl::InfiniteDuration());
  EXPECT_EQ(grid.After(2000), kNever);
  EXPECT_EQ(grid.Advance(2000).at, kNever);
}

TEST(Grid, WithoutAnIntervalDies) {
  EXPECT_DEATH(Grid(0, absl::ZeroDuration()), "a grid needs an interval");
}

}  // namespace
}  // namespace grove
