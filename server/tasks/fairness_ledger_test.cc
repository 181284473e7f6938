#include "server/tasks/fairness_ledger.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/tasks/slots_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1000000;

TEST(FairnessLedgerTest, AddsUpWorkerTimeWhileItIsUsed) {
  FairnessLedger ledger;
  ledger.SetSlots(10, 0);
  ledger.Start(0, 0, kSecond);
  ledger.Start(0, 0, kSecond);
  ledger.Start(1, 0, 2 * kSecond);
  const FairnessFigures figures = ledger.Figures(3 * kSecond);
  ASSERT_EQ(figures.active.size(), 2u);
  EXPECT_EQ(figures.active[0].worker_us, 4 * kSecond);
  EXPECT_EQ(figures.active[0].running, 2);
  EXPECT_DOUBLE_EQ(figures.active[0].share, 0.8);
  // Nobody waits: what they have is fair.
  EXPECT_DOUBLE_EQ(figures.active[0].fair_share, 0.8);
  EXPECT_EQ(figures.active[1].worker_us, kSecond);
  EXPECT_EQ(figures.jain, 1);
}

TEST(FairnessLedgerTest, ForgetsWhatIsOlderThanItsWindow) {
  FairnessLedger ledger;
  ledger.Start(0, 5 * kMs, 0);
  ledger.End(0, kSecond);
  EXPECT_EQ(ledger.Figures(9 * kSecond).active[0].worker_us, kSecond);
  EXPECT_GE(ledger.Figures(9 * kSecond).active[0].start_p99_us, 5 * kMs);
  EXPECT_THAT(ledger.Figures(11 * kSecond).active, IsEmpty());
  // But not what it is to count.
  EXPECT_EQ(ledger.WorkerUsTotal(0, 3600 * kSecond), kSecond);
  ledger.Start(0, 0, 3600 * kSecond);
  EXPECT_EQ(ledger.Figures(3601 * kSecond).active[0].worker_us, kSecond);
}

TEST(FairnessLedgerTest, HandsOutWorkerTimeOnce) {
  FairnessLedger ledger;
  std::vector<std::pair<size_t, int64_t>> taken;
  const auto take = [&](EngineMicros now_us) {
    taken.clear();
    ledger.TakeWorkerTime(now_us, [&](size_t tenant, int64_t us) {
      taken.push_back({tenant, us});
    });
    return taken;
  };
  ledger.Start(3, 0, 0);
  EXPECT_THAT(take(kSecond), ElementsAre(Pair(3, kSecond)));
  EXPECT_THAT(take(kSecond), IsEmpty());
  ledger.End(3, kSecond + 1);
  EXPECT_THAT(take(5 * kSecond), ElementsAre(Pair(3, 1)));
}

// One of two that wait has all: half of what the slots gave was the other's.
TEST(FairnessLedgerTest, JainIsOneOfNIfOneHasAll) {
  FairnessLedger ledger;
  ledger.SetSlots(4, 0);
  for (size_t tenant : {0, 1}) ledger.Wait(tenant, 0);
  for (int i = 0; i < 4; ++i) ledger.Start(0, 0, 0);
  const FairnessFigures figures = ledger.Figures(5 * kSecond);
  EXPECT_DOUBLE_EQ(figures.jain, 0.5);
  EXPECT_DOUBLE_EQ(figures.active[0].fair_share, 0.5);
  EXPECT_DOUBLE_EQ(figures.active[0].share, 1);
  EXPECT_EQ(figures.longest_gap_us, 5 * kSecond);
  EXPECT_EQ(figures.active[0].longest_gap_us, 0);
  EXPECT_EQ(figures.active[1].longest_gap_us, 5 * kSecond);
}

TEST(FairnessLedgerTest, FairIsByWeightAmongThoseThatWait) {
  FairnessLedger ledger;
  ledger.SetSlots(8, 0);
  ledger.SetWeight(1, 300, 0);
  for (size_t tenant : {0, 1}) ledger.Wait(tenant, 0);
  ledger.Start(2, 0, 0);  // Runs, and wants no more.
  ledger.Start(2, 0, 0);
  for (int i = 0; i < 6; ++i) ledger.Start(i % 2, 0, 0);
  const FairnessFigures figures = ledger.Figures(kSecond);
  EXPECT_DOUBLE_EQ(figures.active[0].fair_share, 1.5 / 8);
  EXPECT_DOUBLE_EQ(figures.active[1].fair_share, 4.5 / 8);
  EXPECT_DOUBLE_EQ(figures.active[2].fair_share, 2.0 / 8);
  // Of 1.5 one has 3, of 4.5 the other too: 2 and 2/3.
  EXPECT_NEAR(figures.jain, (8.0 / 3) * (8.0 / 3) / (2 * (4 + 4.0 / 9)), 1e-9);
}

// A moment's wait says nothing of how time is shared.
TEST(FairnessLedgerTest, WhoWaitedForAMomentIsNotJudged) {
  FairnessLedger ledger;
  ledger.SetSlots(2, 0);
  ledger.Wait(0, 0);
  for (int i = 0; i < 2; ++i) ledger.Start(0, 0, 0);
  ledger.Wait(1, 4 * kSecond);
  ledger.Leave(1, 4 * kSecond + 900 * kMs);
  EXPECT_EQ(ledger.Figures(5 * kSecond).jain, 1);
}

TEST(FairnessLedgerTest, TheVictimIsWhoHadLessThanItsWeightGivesIt) {
  FairnessLedger ledger;
  ledger.SetSlots(10, 0);
  ledger.Wait(0, 0);
  for (int i = 0; i < 9; ++i) ledger.Start(0, 3600 * kSecond, 0);  // Its own backlog.
  ledger.Start(1, 70 * kMs, 0);
  const FairnessFigures figures = ledger.Figures(kSecond);
  EXPECT_GE(figures.victim_start_p99_us, 70 * kMs);
  EXPECT_LE(figures.victim_start_p99_us, 70 * kMs * 5 / 4);
}

TEST(FairnessLedgerTest, CountsSlotsThatAreIdleBesideABacklog) {
  FairnessLedger ledger;
  ledger.SetIdle(3, kSecond);
  ledger.SetIdle(0, 2 * kSecond);
  EXPECT_EQ(ledger.TakeIdle(5 * kSecond), 3 * kSecond);
  EXPECT_EQ(ledger.TakeIdle(6 * kSecond), 0);
  EXPECT_EQ(ledger.Figures(6 * kSecond).idle_while_backlogged_us, 3 * kSecond);
}

// Judge and schedule are told the same and know nothing of each other.
TEST(FairnessLedgerTest, AgreesWithTheSimulation) {
  SlotSimulation sim(20);
  for (int i = 0; i < 4; ++i) {
    sim.Flood(sim.Add(
        100 << i, [i] { return i % 2 == 0 ? kMs : 700 * kMs; }, i % 2));
  }
  const size_t quiet = sim.Add(
      100, [] { return 5 * kMs; }, 2);
  for (int i = 0; i < 100; ++i) sim.At((10 + i / 10.0) * kSecond, quiet);
  sim.RunUntil(10 * kSecond);
  std::vector<int64_t> before;
  for (size_t i = 0; i < sim.size(); ++i) before.push_back(sim.WorkerUs(i));
  sim.RunUntil(20 * kSecond - 1);
  const FairnessFigures figures = sim.ledger().Figures(20 * kSecond - 1);
  ASSERT_EQ(figures.active.size(), 5u);
  EXPECT_GE(figures.jain, 0.99);
  EXPECT_EQ(figures.idle_while_backlogged_us, 0);
  for (size_t i = 0; i < sim.size(); ++i) {
    EXPECT_EQ(figures.active[i].worker_us, sim.WorkerUs(i) - before[i]) << i;
  }
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(figures.active[i].fair_share, (1 << i) / 15.0, 0.01) << i;
    EXPECT_NEAR(figures.active[i].share, (1 << i) / 15.0, 0.02) << i;
  }
  EXPECT_NEAR(figures.active[quiet].worker_us, 500 * kMs, 5 * kMs);
  // Its p99, and nobody else's: the others wait for themselves.
  EXPECT_EQ(figures.victim_start_p99_us, figures.active[quiet].start_p99_us);
}

}  // namespace
}  // namespace grove::tasks
