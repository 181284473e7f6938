#include "server/supervisor/policy.h"

#include <vector>

#include "gtest/gtest.h"

namespace grove::supervisor {
namespace {

constexpr MonotonicNanos kMillisecond = 1'000'000;

// The pause before the next start, for a process that served for `life`.
int64_t PauseMs(RestartPolicy& policy, MonotonicNanos& now, absl::Duration life) {
  policy.Started(now);
  policy.Ready(now);
  now += absl::ToInt64Nanoseconds(life);
  const MonotonicNanos due = policy.Died(now);
  const int64_t pause = (due - now) / kMillisecond;
  now = due;
  return pause;
}

TEST(RestartPolicy, RestartsAtOnceAfterALongLifeAndAfterTheFirstQuickDeath) {
  RestartPolicy policy;
  MonotonicNanos now = 5;
  EXPECT_EQ(PauseMs(policy, now, absl::Hours(1)), 0);
  EXPECT_EQ(PauseMs(policy, now, absl::ZeroDuration()), 0);
}

TEST(RestartPolicy, DoublesThePauseWithEachQuickDeathUpToTheMaximum) {
  RestartPolicy policy;
  MonotonicNanos now = 5;
  std::vector<int64_t> pauses(11);
  for (int64_t& pause : pauses) pause = PauseMs(policy, now, absl::Milliseconds(3));
  EXPECT_EQ(pauses, (std::vector<int64_t>{0, 100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000,
                                          10'000}));
}

TEST(RestartPolicy, StaysAtTheMaximumForEver) {
  RestartPolicy policy;
  MonotonicNanos now = 5;
  for (int death = 0; death < 200; ++death) PauseMs(policy, now, absl::ZeroDuration());
  EXPECT_EQ(PauseMs(policy, now, absl::ZeroDuration()), 10'000);
}

TEST(RestartPolicy, ALongLifeForgivesQuickDeaths) {
  RestartPolicy policy;
  MonotonicNanos now = 5;
  PauseMs(policy, now, absl::ZeroDuration());
  EXPECT_EQ(PauseMs(policy, now, kQuickDeath - absl::Nanoseconds(1)), 100);
  EXPECT_EQ(PauseMs(policy, now, kQuickDeath), 0);
  EXPECT_EQ(PauseMs(policy, now, absl::ZeroDuration()), 0);
}

TEST(RestartPolicy, ABootIsNoLifeHoweverLongItTakes) {
  RestartPolicy policy;
  MonotonicNanos now = 5;
  std::vector<absl::Duration> pauses;
  for (int death = 0; death < 3; ++death) {
    policy.Started(now);
    now += 3600 * 1000 * kMillisecond;
    pauses.push_back(absl::Nanoseconds(policy.Died(now) - now));
  }
  EXPECT_EQ(pauses, (std::vector<absl::Duration>{absl::ZeroDuration(), absl::Milliseconds(100),
                                                 absl::Milliseconds(200)}));
}

TEST(RestartPolicy, QuickDeathsAreForgottenOnceOneHasServedForLong) {
  RestartPolicy policy;
  MonotonicNanos now = 5;
  EXPECT_EQ(policy.QuickDeaths(now), 0);
  for (int death = 1; death <= 3; ++death) {
    PauseMs(policy, now, absl::ZeroDuration());
    EXPECT_EQ(policy.QuickDeaths(now + 3600 * 1000 * kMillisecond), death) << "none serves";
  }
  policy.Started(now);
  EXPECT_EQ(policy.QuickDeaths(now + 3600 * 1000 * kMillisecond), 3) << "it does not serve yet";
  policy.Ready(now);
  now += absl::ToInt64Nanoseconds(kQuickDeath);
  EXPECT_EQ(policy.QuickDeaths(now - 1), 3);
  EXPECT_EQ(policy.QuickDeaths(now), 0);
}

TEST(RestartPolicy, OneThatWasToldToEndIsNoQuickDeathAndMayHaveLivedLong) {
  RestartPolicy policy;
  MonotonicNanos now = 5;
  for (int death = 1; death <= 3; ++death) PauseMs(policy, now, absl::ZeroDuration());
  policy.Started(now);
  policy.Ready(now);
  RestartPolicy young = policy;
  EXPECT_EQ(young.Ended(now), now);
  EXPECT_EQ(young.QuickDeaths(now + 3600 * 1000 * kMillisecond), 3);
  now += absl::ToInt64Nanoseconds(kQuickDeath);
  EXPECT_EQ(policy.Ended(now), now);
  EXPECT_EQ(policy.QuickDeaths(now), 0);
}

TEST(RestartPolicy, WhatCannotBeStartedIsTriedLaterAndLaterUntilItIs) {
  RestartPolicy policy;
  const MonotonicNanos now = 5;
  const auto pauses = [&] {
    std::vector<int64_t> all(9);
    for (int64_t& pause : all) pause = (policy.NotStarted(now) - now) / kMillisecond;
    return all;
  };
  const std::vector<int64_t> expected{100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000};
  EXPECT_EQ(pauses(), expected);
  EXPECT_EQ(policy.history().failed_starts, 9);
  policy.Started(now);
  EXPECT_EQ(policy.history().failed_starts, 0);
  EXPECT_EQ(pauses(), expected);
  EXPECT_EQ(policy.QuickDeaths(now), 0) << "none has lived";
}

TEST(RestartPolicy, GoesOnWithTheHistoryOfAnother) {
  RestartPolicy before;
  MonotonicNanos now = 5;
  for (int death = 0; death < 4; ++death) PauseMs(before, now, absl::ZeroDuration());
  RestartPolicy policy(before.history());
  EXPECT_EQ(policy.history(), before.history());
  EXPECT_EQ(PauseMs(policy, now, absl::ZeroDuration()), 800);
}

TEST(RestartPolicy, TheHistoryKnowsWhetherTheLastOneServes) {
  RestartPolicy before;
  before.Started(5);
  before.Ready(3600 * 1000 * kMillisecond);
  before = RestartPolicy(before.history());
  // Young, however long ago it was started.
  const MonotonicNanos death = 3601 * 1000 * kMillisecond;
  EXPECT_EQ(before.Died(death), death);
  EXPECT_EQ(before.history().quick_deaths, 1);
  before.Started(death);
  EXPECT_EQ(before.history(), (RestartHistory{.started = death, .quick_deaths = 1}));
}

// A chaos monkey's, or a memory limit's: they are nobody's crash loop.
TEST(RestartPolicy, WhoIsKilledEverySixSecondsIsThereAllTheSame) {
  RestartPolicy policy;
  MonotonicNanos due = 0;
  MonotonicNanos away = 0;
  for (int kill = 1; kill <= 100; ++kill) {
    const MonotonicNanos now = kill * 6000 * kMillisecond;
    if (due > now) continue;  // none lives
    policy.Started(due);
    policy.Ready(due);
    due = policy.Died(now);
    away += due - now;
  }
  EXPECT_EQ(away, 0);
}

TEST(BootPolicy, GivesUpAtTheFifthFailure) {
  BootPolicy policy;
  for (int failure = 1; failure < kBootFailuresMax; ++failure) {
    EXPECT_FALSE(policy.DiedBeforeReady()) << failure;
  }
  EXPECT_TRUE(policy.DiedBeforeReady());
}

TEST(BootPolicy, NeverGivesUpOnceTheDaemonHasServed) {
  BootPolicy policy;
  for (int failure = 1; failure < kBootFailuresMax; ++failure) policy.DiedBeforeReady();
  policy.Served();
  for (int failure = 0; failure < 100; ++failure) EXPECT_FALSE(policy.DiedBeforeReady());
}

TEST(ForkThrottle, LetsSoManyPassInASecond) {
  ForkThrottle throttle;
  const MonotonicNanos begin = 5'000'000'000;
  for (int fork = 0; fork < kForksPerSecondMax; ++fork) {
    EXPECT_TRUE(throttle.MayFork(begin + fork)) << fork;
    throttle.Forked(begin + fork);
  }
  EXPECT_FALSE(throttle.MayFork(begin + 999'999'999));
  EXPECT_EQ(throttle.NextAt(), begin + 1'000'000'000);
  EXPECT_TRUE(throttle.MayFork(begin + 1'000'000'000));
  throttle.Forked(begin + 1'000'000'000);
  EXPECT_EQ(throttle.NextAt(), 0);
}

}  // namespace
}  // namespace grove::supervisor
