#include "server/metrics/tenant_cells.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "gtest/gtest.h"
#include "server/metrics/scoreboard.h"

namespace grove::metrics {
namespace {

constexpr int kStandIn = Scoreboard::kStandIn;

TEST(WorkerCounts, LetInUpToTheBoundOverAllWorkers) {
  WorkerCounts counts{};
  EXPECT_TRUE(counts.Enter(0, 2, 3));
  EXPECT_TRUE(counts.Enter(1, 2, 3));
  EXPECT_TRUE(counts.Enter(kStandIn, 2, 3));
  EXPECT_FALSE(counts.Enter(0, 2, 3));
  EXPECT_FALSE(counts.Enter(1, 2, 3));
  EXPECT_EQ(counts.Sum(2), 3) << "who was refused counts for nothing";
  counts.Leave(1);
  EXPECT_TRUE(counts.Enter(0, 2, 3));
  EXPECT_EQ(counts.of(0), 2);
  EXPECT_EQ(counts.of(1), 0);
}

TEST(WorkerCounts, ABoundThatWasLoweredHoldsForThoseThatCome) {
  WorkerCounts counts{};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(counts.Enter(0, 1, 5));
  EXPECT_FALSE(counts.Enter(0, 1, 2));
  for (int i = 0; i < 3; ++i) counts.Leave(0);
  EXPECT_FALSE(counts.Enter(0, 1, 2));
  counts.Leave(0);
  EXPECT_TRUE(counts.Enter(0, 1, 2));
}

// Each process enters and leaves without a pause; neither ever sees more than the bound.
TEST(WorkerCounts, HoldTheBoundBetweenProcesses) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok()) << board.status();
  WorkerCounts& counts = board->series().bound_cells.of[1].requests;
  const auto work = [&](int worker) {
    int entered = 0;
    for (int i = 0; i < 20'000; ++i) {
      if (!counts.Enter(worker, 2, 1)) continue;
      ++entered;
      // The other one is either out, or about to step back: it never keeps it.
      if (counts.of(worker).load() != 1) return -1;
      counts.Leave(worker);
    }
    return entered;
  };
  const pid_t child = fork();
  if (child == 0) _exit(work(1) > 0 ? 0 : 1);
  EXPECT_GT(work(0), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(counts.Sum(2), 0);
}

TEST(TenantCells, AKilledWorkerLeavesNothingBehind) {
  auto board = Scoreboard::Create(2);
  ASSERT_TRUE(board.ok()) << board.status();
  SeriesIndex names(board->series().bound_tenants.directory());
  TenantCells& cells = board->series().bound_cells.of[names.Find("acme")];
  ASSERT_TRUE(cells.requests.Enter(0, 2, 3));
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    cells.requests.Enter(1, 2, 3);
    cells.requests.Enter(1, 2, 3);
    cells.fetches.Enter(1, 2, 3);
    cells.fetches_waiting.of(1).store(1);
    ++cells.refused_requests;
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(cells.requests.Enter(0, 2, 3));
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  board->Fold(1);
  EXPECT_EQ(cells.requests.Sum(2), 1) << "that of the other worker";
  EXPECT_EQ(cells.fetches.Sum(2), 0);
  EXPECT_EQ(cells.fetches_waiting.Sum(2), 0);
  EXPECT_EQ(cells.refused_requests, 1u) << "totals never fall";
  EXPECT_TRUE(cells.requests.Enter(0, 2, 3));
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace grove::metrics
