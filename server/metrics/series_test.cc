#include "server/metrics/series.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/metrics/label_set.h"
#include "server/metrics/route_cells.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/work_pool_cells.h"

namespace grove::metrics {
namespace {

class SeriesTest : public testing::Test {
 protected:
  SeriesDirectory Directory() { return small_->directory(); }

  // In memory that children share; the first number is nobody's.
  using Names = SeriesNames<4>;
  Names* const small_ = static_cast<Names*>(
      mmap(nullptr, sizeof(Names), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
};

TEST_F(SeriesTest, AKeyHasTheSameNumberForEveryone) {
  SeriesIndex one(Directory());
  SeriesIndex other(Directory());
  EXPECT_EQ(one.Find("a"), 1u);
  EXPECT_EQ(other.Find("b"), 2u);
  EXPECT_EQ(other.Find("a"), 1u);
  EXPECT_EQ(one.Find("b"), 2u);
  EXPECT_EQ(Directory().key(2), "b");
}

TEST_F(SeriesTest, WhatFindsNoPlaceIsNumberZeroAndCountedOnce) {
  SeriesIndex index(Directory());
  for (const char* key : {"a", "b", "c"}) EXPECT_NE(index.Find(key), kOtherSeries);
  EXPECT_EQ(Directory().dropped(), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(index.Find("d"), kOtherSeries);
  EXPECT_EQ(Directory().dropped(), 1u);
  EXPECT_EQ(index.Find("b"), 2u);
  EXPECT_FALSE(index.Knows("d"));
}

TEST_F(SeriesTest, LongKeysAreCutAndStayApart) {
  SeriesIndex index(Directory());
  const std::string same(300, 'x');
  EXPECT_EQ(index.Find(same + "1"), 1u);
  EXPECT_EQ(index.Find(same + "2"), 2u);
  EXPECT_EQ(index.Find(same + "1"), 1u);
  EXPECT_EQ(Directory().key(1).size(), kSeriesKeyBytesMax);
}

TEST_F(SeriesTest, APlaceWhoseClaimerDiedIsNobodys) {
  small_->count.claimed = 1;  // Claimed, and never named.
  SeriesIndex index(Directory());
  EXPECT_EQ(index.Find("a"), 2u);
  EXPECT_EQ(Directory().key(1), "");
}

TEST(Series, ProcessesThatClaimAtOnceLoseNothing) {
  auto board = Scoreboard::Create(8);
  ASSERT_TRUE(board.ok());
  constexpr int kRoutes = 50;
  for (int worker = 0; worker < 8; ++worker) {
    if (fork() != 0) continue;
    RouteCells cells(*board, worker);
    for (int i = 0; i < kRoutes; ++i) {
      cells.Of(StrCat("/", (i + 7 * worker) % kRoutes), 0, 200).requests->fetch_add(1);
    }
    _exit(0);
  }
  for (int worker = 0; worker < 8; ++worker) ASSERT_GT(wait(nullptr), 0);
  board->Fold(3);
  SharedSeries& series = board->series();
  const SeriesDirectory names = series.requests.directory();
  std::map<std::string_view, uint64_t> sums;
  for (uint32_t number = 1; number <= names.claimed(); ++number) {
    sums[names.key(number)] += series.dead.requests.of[number][0];
    for (int i = 0; i < 8; ++i) {
      sums[names.key(number)] += board->worker_series(i).requests.of[number][0];
    }
  }
  EXPECT_EQ(sums.size(), static_cast<size_t>(kRoutes));
  for (const auto& [key, sum] : sums) EXPECT_EQ(sum, 8u) << key;
}

TEST(Series, ADeadProcessesCellsGoToTheDead) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok());
  for (int life = 0; life < 3; ++life) {
    const pid_t child = fork();
    if (child == 0) {
      RouteCells cells(*board, 1);
      cells.Of("/a", 0, 200).requests->fetch_add(5);
      cells.Of("/a", 0, 200).durations[2].fetch_add(5);
      _exit(0);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    board->Fold(1);
  }
  EXPECT_EQ(board->series().requests.directory().claimed(), 1u);
  EXPECT_EQ(board->series().dead.requests.of[1][0], 15u);
  EXPECT_EQ(board->series().dead.routes.of[1][2], 15u);
  EXPECT_EQ(board->worker_series(1).requests.of[1][0], 0u);
}

TEST(Series, OfADeadWorkersPoolsTheCountsStayAndTheLevelsGo) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok());
  for (int life = 1; life <= 2; ++life) {
    const WorkPoolCells::Cells cells = WorkPoolCells(*board, 1).Of("threads", "disk");
    EXPECT_EQ(cells.counts[WorkPoolCell::kCalls], 0u);
    cells.counts[WorkPoolCell::kCalls] = 5;
    cells.levels[WorkPoolLevel::kSize] = 3;
    board->Fold(1);
    const auto& dead = board->series().dead;
    EXPECT_EQ(dead.work_pools.of[1][WorkPoolCell::kCalls], 5u * life);
    EXPECT_EQ(dead.work_pool_levels.of[1][WorkPoolLevel::kSize], 0u);
    EXPECT_EQ(cells.levels[WorkPoolLevel::kSize], 0u);
  }
}

TEST(Series, WhatNobodyUsesTakesNoMemory) {
  auto board = Scoreboard::Create(config::kWorkersMax);
  ASSERT_TRUE(board.ok());
  struct stat status;
  RouteCells(*board, 17).Of("/a", 0, 200).requests->store(1);
  board->Fold(17);
  ASSERT_EQ(fstat(board->fd(), &status), 0);
  EXPECT_GT(status.st_size, 10 << 20);
  EXPECT_LT(status.st_blocks * 512, 128 << 10);
}

TEST_F(SeriesTest, NamesAreLetInByUseUntilOneWasTurnedAway) {
  LabelSet set(Directory(), 2);
  set.Admit({{"rare", 1}, {"often", 9}, {"often", 9}, {"seldom", 3}});
  EXPECT_EQ(set.Shown("often"), "often");
  EXPECT_EQ(set.Shown("seldom"), "seldom");
  EXPECT_EQ(set.Shown("rare"), "_other");
  EXPECT_EQ(set.folded(), 1u);
  // As another control does, which may have more room: what was added up stays so.
  LabelSet next(Directory(), 3);
  next.Admit({{"rare", 100}, {"often", 9}});
  EXPECT_EQ(next.Shown("rare"), "_other");
  EXPECT_EQ(next.Shown("seldom"), "seldom");
}

}  // namespace
}  // namespace grove::metrics
