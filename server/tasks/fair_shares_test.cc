#include "server/tasks/fair_shares.h"

#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/tasks/slots_fixture.h"

namespace grove::tasks {
namespace {

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1000000;

// --- Alone
// -----------------------------------------------------------------------------------------

// Starts and ends `count` tasks one after the other, each taking what its tenant's do; who got
// them.
std::vector<int> OneByOne(FairShares& shares, int count, const std::vector<int64_t>& run_us) {
  std::vector<int> got(run_us.size());
  int64_t now_us = 0;
  for (int i = 0; i < count; ++i) {
    const size_t next = shares.Next(now_us);
    shares.Start(next, 0, now_us);
    now_us += run_us[next];
    shares.End(next, 0, now_us);
    ++got[next];
  }
  return got;
}

TEST(FairSharesTest, TakesTurnsAmongEqualOnes) {
  FairShares shares;
  shares.SetSlots(1, 0);
  for (size_t tenant : {0, 1, 2}) shares.Wait(tenant, 0);
  std::vector<size_t> turns;
  for (int64_t now_us = 0; now_us < 6; ++now_us) {
    turns.push_back(shares.Next(now_us));
    shares.Start(turns.back(), 0, now_us);
    shares.End(turns.back(), 0, now_us + 1);
  }
  EXPECT_EQ(turns, (std::vector<size_t>{0, 1, 2, 0, 1, 2}));
}

TEST(FairSharesTest, ChargesTheTimeThatWasMeasured) {
  FairShares shares;
  shares.SetSlots(1, 0);
  shares.Wait(0, 0);
  shares.Wait(1, 0);
  const std::vector<int> got = OneByOne(shares, 1100, {10 * kMs, 1 * kMs});
  EXPECT_NEAR(got[0], 100, 1);
  EXPECT_NEAR(got[1], 1000, 1);
}

TEST(FairSharesTest, SharesByWeight) {
  FairShares shares;
  shares.SetSlots(1, 0);
  for (size_t tenant : {0, 1, 2}) {
    shares.SetWeight(tenant, 50 << tenant, 0);
    shares.Wait(tenant, 0);
  }
  const std::vector<int> got = OneByOne(shares, 700, {kMs, kMs, kMs});
  EXPECT_NEAR(got[0], 100, 1);
  EXPECT_NEAR(got[1], 200, 1);
  EXPECT_NEAR(got[2], 400, 1);
}

TEST(FairSharesTest, AWeightCountsFromItsChangeOn) {
  FairShares shares;
  shares.SetSlots(1, 0);
  shares.Wait(0, 0);
  shares.Wait(1, 0);
  OneByOne(shares, 1000, {kMs, kMs});
  shares.SetWeight(1, 300, 1000 * kMs);
  std::vector<int> got(2);
  int64_t now_us = 1000 * kMs;
  for (int i = 0; i < 400; ++i, now_us += kMs) {
    const size_t next = shares.Next(now_us);
    shares.Start(next, 0, now_us);
    shares.End(next, 0, now_us + kMs);
    ++got[next];
  }
  EXPECT_NEAR(got[1], 300, 2);
}

// Ten thousand tasks of ten seconds must not start before the first of them is charged.
TEST(FairSharesTest, WhatRunsCountsBeforeItEnds) {
  FairShares shares;
  shares.SetSlots(10000, 0);
  shares.Wait(0, 0);
  shares.Wait(1, 0);
  std::vector<int> got(2);
  for (int i = 0; i < 1000; ++i) {
    const size_t next = shares.Next(0);
    shares.Start(next, next == 0 ? 10 * kSecond : kSecond, 0);
    ++got[next];
  }
  EXPECT_NEAR(got[0], 91, 2);
  EXPECT_NEAR(got[1], 909, 2);
}

TEST(FairSharesTest, WhoComesLateGetsNothingForItsAbsence) {
  FairShares shares;
  shares.SetSlots(1, 0);
  shares.Wait(0, 0);
  for (int64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(shares.Next(i * kMs), 0u);
    shares.Start(0, 0, i * kMs);
    shares.End(0, 0, (i + 1) * kMs);
  }
  shares.Wait(1, kSecond);
  std::vector<int> got(2);
  for (int64_t i = 1000; i < 1100; ++i) {
    const size_t next = shares.Next(i * kMs);
    shares.Start(next, 0, i * kMs);
    shares.End(next, 0, (i + 1) * kMs);
    ++got[next];
  }
  EXPECT_NEAR(got[0], 50, 1);
  EXPECT_NEAR(got[1], 50, 1);
}

// A small weight makes the virtual time of a minute alone one of hours.
TEST(FairSharesTest, SlotsThatNobodyElseWantedAreNoDebtForLong) {
  FairShares shares;
  shares.SetSlots(1, 0);
  shares.SetWeight(0, 10, 0);
  shares.Start(1, 0, 0);  // Runs all the time, and does not wait.
  shares.Wait(0, 0);
  shares.Start(0, 0, 0);
  shares.Leave(0, 0);
  shares.End(0, 0, 60 * kSecond);
  shares.Wait(2, 60 * kSecond);
  shares.Wait(0, 60 * kSecond);
  int64_t now_us = 60 * kSecond;
  while (shares.Next(now_us) != 0) {
    shares.Start(2, 0, now_us);
    now_us += 100 * kMs;
    shares.End(2, 0, now_us);
    ASSERT_LT(now_us, 75 * kSecond);
  }
}

TEST(FairSharesTest, WhoStepsAsideKeepsWhatItIsOwed) {
  for (const bool aside : {true, false}) {
    FairShares shares;
    shares.SetSlots(2, 0);
    shares.Wait(0, 0);
    shares.Wait(1, 0);
    shares.Start(0, 0, 0);  // Tenant 0 alone has a slot for a second.
    aside ? shares.StepAside(1, 0) : shares.Leave(1, 0);
    shares.End(0, 0, kSecond);
    shares.Wait(1, kSecond);
    int got = 0;
    for (int64_t now_us = kSecond; shares.Next(now_us) == 1; now_us += kMs) {
      shares.Start(1, 0, now_us);
      shares.End(1, 0, now_us + kMs);
      ++got;
    }
    EXPECT_NEAR(got, aside ? 1000 : 1, 1) << aside;
  }
}

TEST(FairSharesTest, NobodyHoldsMoreThanItsShareWhileOthersHoldLess) {
  FairShares shares;
  shares.SetSlots(100, 0);
  shares.Wait(0, 0);
  for (int i = 0; i < 100; ++i) shares.Start(shares.Next(0), 10 * kSecond, 0);
  EXPECT_EQ(shares.running(0), 100);
  // Whatever falls free is the late one's until it has its share, although its tasks are long too.
  shares.Wait(1, kSecond);
  for (int i = 0; i < 46; ++i) {
    shares.End(0, 10 * kSecond, kSecond);
    ASSERT_EQ(shares.Next(kSecond), 1u) << i;
    shares.Start(1, 60 * kSecond, kSecond);
  }
  EXPECT_EQ(shares.Cap(0), 54);
  // And alone it may have all.
  shares.Leave(1, kSecond);
  EXPECT_EQ(shares.Next(kSecond), 0u);
}

TEST(FairSharesTest, TellsHowFarATenantIsOverItsShare) {
  FairShares shares;
  shares.SetSlots(1, 0);
  shares.Wait(0, 0);
  shares.Wait(1, 0);
  shares.Start(0, kSecond, 0);
  EXPECT_EQ(shares.OverShareUs(0, 0), kSecond);
  // Half of the second is its own.
  EXPECT_EQ(shares.OverShareUs(0, kSecond), kSecond + kSecond / 2);
  EXPECT_EQ(shares.OverShareUs(1, kSecond), -kSecond / 2);
}

// --- With simulated slots
// --------------------------------------------------------------------------

using Random = std::mt19937_64;

// One millisecond nine times of ten, else ten seconds: nearly all of the time is the long ones'.
std::function<int64_t()> Mixed(Random& random) {
  return [&random] { return random() % 10 == 0 ? 10 * kSecond : kMs; };
}

// As much of the time goes to tasks of one millisecond as to those of ten seconds.
std::function<int64_t()> EvenlyMixed(Random& random) {
  return [&random] { return random() % 10000 == 0 ? 10 * kSecond : kMs; };
}

void Print(const std::string& what, double value) {
  std::printf("fairness %s %.6g\n", what.c_str(), value);
}

// What each of them got of the worker time since `before`, by its weight.
std::vector<double> Got(SlotSimulation& sim, const std::vector<int64_t>& before) {
  std::vector<double> got;
  for (size_t i = 0; i < before.size(); ++i) {
    got.push_back(static_cast<double>(sim.WorkerUs(i) - before[i]) / sim.of(i).weight);
  }
  return got;
}

struct Flood {
  int tenants;
  int64_t slots;
  std::vector<int32_t> weights;
  enum class Tasks { kShort, kLong, kMixed, kShortOrLong } tasks;
  int64_t seconds;
};

std::ostream& operator<<(std::ostream& out, const Flood& flood) {
  const char* const names[] = {"1ms", "10s", "mixed", "1ms_or_10s"};
  return out << flood.tenants << "_tenants_" << flood.slots << "_slots_"
             << (flood.weights.size() > 1 ? "weighted_" : "")
             << names[static_cast<int>(flood.tasks)];
}

class FloodTest : public ::testing::TestWithParam<Flood> {};

// Everybody always has more: the time must go by weight, whatever the tasks take.
TEST_P(FloodTest, WorkerTimeGoesByWeight) {
  const Flood& flood = GetParam();
  Random random(7);
  SlotSimulation sim(flood.slots);
  for (int i = 0; i < flood.tenants; ++i) {
    using Tasks = Flood::Tasks;
    const bool is_long =
        flood.tasks == Tasks::kLong || (flood.tasks == Tasks::kShortOrLong && i % 2);
    std::function<int64_t()> run = [us = is_long ? 10 * kSecond : kMs] { return us; };
    if (flood.tasks == Tasks::kMixed) run = Mixed(random);
    sim.Flood(sim.Add(flood.weights[i % flood.weights.size()], run, is_long));
  }
  sim.RunUntil(flood.seconds * kSecond);
  const double jain = SlotSimulation::Jain(Got(sim, std::vector<int64_t>(flood.tenants)));
  Print(testing::PrintToString(flood) + "_jain", jain);
  EXPECT_GE(jain, 0.99);
  EXPECT_EQ(sim.idle_us(), 0);
}

using Tasks = Flood::Tasks;

INSTANTIATE_TEST_SUITE_P(All, FloodTest,
                         ::testing::Values(Flood{2, 1, {100}, Tasks::kShortOrLong, 500},
                                           Flood{2, 4, {100}, Tasks::kMixed, 1000},
                                           Flood{2, 20, {100}, Tasks::kShortOrLong, 60},
                                           Flood{3, 4, {100, 200, 400}, Tasks::kShort, 10},
                                           Flood{3, 4, {100, 200, 400}, Tasks::kLong, 2000},
                                           Flood{3, 100, {100, 200, 400}, Tasks::kMixed, 120},
                                           Flood{100, 16, {100, 200, 400}, Tasks::kShort, 10},
                                           Flood{100, 16, {100}, Tasks::kMixed, 2000},
                                           Flood{100, 1000, {100, 200, 400}, Tasks::kMixed, 120},
                                           Flood{10000, 1000, {100}, Tasks::kMixed, 1000},
                                           Flood{10000, 1000, {100, 200, 400}, Tasks::kShort, 2}));

// What max-min fairness gives to each for what it asks for.
std::vector<double> MaxMin(const std::vector<double>& asked, double all) {
  std::vector<size_t> order(asked.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return asked[a] < asked[b]; });
  std::vector<double> fair(asked.size());
  for (size_t i = 0; i < order.size(); ++i) {
    fair[order[i]] = std::min(asked[order[i]], all / static_cast<double>(order.size() - i));
    all -= fair[order[i]];
  }
  return fair;
}

class ZipfTest : public ::testing::TestWithParam<int> {};

// The k-th tenant asks for 1/k of what the first does, all for twice what there is: the small ones
// get what they ask for, the others the same each.
TEST_P(ZipfTest, WorkerTimeIsMaxMinFair) {
  const int tenants = GetParam();
  constexpr int64_t kSlots = 1000, kSeconds = 200;
  Random random(11);
  SlotSimulation sim(kSlots);
  double sum = 0;
  for (int k = 1; k <= tenants; ++k) sum += 1.0 / k;
  std::vector<double> asked(tenants);
  // Drawn when they come, taken in the order in which they came.
  std::vector<std::deque<int64_t>> drawn(tenants);
  for (int i = 0; i < tenants; ++i) {
    sim.Add(
        100,
        [&queue = drawn[i]] {
          const int64_t us = queue.front();
          queue.pop_front();
          return us;
        },
        0);
    const double per_second = 2.0 * kSlots / (i + 1) / sum;
    std::exponential_distribution<double> gap(per_second);
    // The last of what the small ones ask for ends within the time.
    for (double at = gap(random); at < kSeconds - 20; at += gap(random)) {
      drawn[i].push_back(random() % 10 == 0 ? 10 * kSecond : kMs);
      asked[i] += static_cast<double>(drawn[i].back());
      sim.At(static_cast<int64_t>(at * kSecond), i);
    }
  }
  sim.RunUntil(kSeconds * kSecond);
  const std::vector<double> fair = MaxMin(asked, static_cast<double>(kSlots * kSeconds * kSecond));
  std::vector<double> got;
  for (int i = 0; i < tenants; ++i) {
    if (fair[i] > 0) got.push_back(static_cast<double>(sim.WorkerUs(i)) / fair[i]);
  }
  const double jain = SlotSimulation::Jain(got);
  Print("zipf_" + std::to_string(tenants) + "_tenants_jain", jain);
  EXPECT_GE(jain, 0.99);
  EXPECT_EQ(sim.idle_us(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, ZipfTest, ::testing::Values(2, 100, 10000));

struct Quiet {
  int floods;
  int64_t slots;
  int64_t run_us;
  bool mixed;
};

std::ostream& operator<<(std::ostream& out, const Quiet& quiet) {
  return out << quiet.floods << "_floods_" << quiet.slots << "_slots_" << quiet.run_us / kMs << "ms"
             << (quiet.mixed ? "_beside_mixed" : "");
}

class QuietTest : public ::testing::TestWithParam<Quiet> {};

// The p99 of a task's time from its arrival to its end, of a tenant that asks for a hundredth of
// its share, beside floods that ask for all they can get.
int64_t QuietP99(const Quiet& quiet, int floods) {
  constexpr int kTasks = 500;
  Random random(3);
  SlotSimulation sim(quiet.slots);
  const size_t victim = sim.Add(
      100, [&quiet] { return quiet.run_us; }, 0);
  for (int i = 0; i < floods; ++i) {
    std::function<int64_t()> run = [us = quiet.run_us] { return us; };
    if (quiet.mixed) run = EvenlyMixed(random);
    sim.Flood(sim.Add(100, run, 1));
  }
  const double per_us = static_cast<double>(quiet.slots) / (quiet.floods + 1) / 100 / quiet.run_us;
  std::exponential_distribution<double> gap(per_us);
  double at_us = kSecond;
  for (int i = 0; i < kTasks; ++i) {
    at_us += gap(random);
    sim.At(static_cast<int64_t>(at_us), victim);
  }
  sim.RunUntil(static_cast<int64_t>(at_us) + 20 * kSecond);
  EXPECT_EQ(sim.of(victim).times_us.size(), size_t{kTasks});
  EXPECT_EQ(sim.idle_us(), 0);
  return SlotSimulation::Percentile(sim.of(victim).times_us, 0.99);
}

TEST_P(QuietTest, ItsP99IsAtMostTwiceThatAlone) {
  const Quiet& quiet = GetParam();
  const auto alone = static_cast<double>(QuietP99(quiet, 0));
  const auto beside = static_cast<double>(QuietP99(quiet, quiet.floods));
  Print("quiet_" + testing::PrintToString(quiet) + "_p99_of_alone", beside / alone);
  EXPECT_LE(beside, 2 * alone);
}

INSTANTIATE_TEST_SUITE_P(All, QuietTest,
                         ::testing::Values(Quiet{1, 10, 10 * kMs, false},
                                           Quiet{100, 1000, 10 * kMs, false},
                                           Quiet{1, 100, 10 * kMs, true},
                                           Quiet{10, 100, 10 * kMs, true}));

struct Late {
  std::string name;
  int64_t slots;
  std::function<std::function<int64_t()>(Random&)> tasks;
  int64_t after_us;
};

std::ostream& operator<<(std::ostream& out, const Late& late) {
  return out << late.name << "_after_" << late.after_us / kSecond << "s";
}

class LateTest : public ::testing::TestWithParam<Late> {};

// What it gets in a second that begins so long after its coming, of its fair share. Slots fall free
// only when tasks end: beside ten-second ones alone, a tenth of them a second.
TEST_P(LateTest, GetsItsShare) {
  const Late& late = GetParam();
  Random random(5);
  SlotSimulation sim(late.slots);
  for (int i = 0; i < 3; ++i) {
    const size_t tenant = sim.Add(100, late.tasks(random), 0);
    if (i < 2) sim.Flood(tenant);
  }
  sim.RunUntil(15 * kSecond);
  sim.Flood(2);
  sim.RunUntil(15 * kSecond + late.after_us);
  const int64_t before_us = sim.WorkerUs(2);
  sim.RunUntil(16 * kSecond + late.after_us);
  const double share = static_cast<double>(sim.WorkerUs(2) - before_us) / kSecond / late.slots;
  Print("late_" + testing::PrintToString(late) + "_of_fair_share", share * 3);
  EXPECT_GE(share * 3, 0.9);
  EXPECT_EQ(sim.idle_us(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, LateTest,
    ::testing::Values(Late{"10ms", 100, [](Random&) { return [] { return 10 * kMs; }; }, kSecond},
                      Late{"1s", 100,
                           [](Random& r) { return [&r] { return int64_t(r() % (2 * kSecond)); }; },
                           kSecond},
                      Late{"evenly_mixed", 100, EvenlyMixed, kSecond},
                      Late{"mixed", 1000, Mixed, 10 * kSecond}));

}  // namespace
}  // namespace grove::tasks
