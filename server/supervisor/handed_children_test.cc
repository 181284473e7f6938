#include "server/supervisor/handed_children.h"

#include "gtest/gtest.h"
#include "server/supervisor/supervisor_decisions.h"

namespace grove::supervisor {
namespace {

constexpr MonotonicNanos kSecond = 1'000'000'000;
constexpr MonotonicNanos kNow = 1000 * kSecond;

// Into a record, and out of it, as at an upgrade, and as at the way back.
ChildState Handed(const ChildState& child, int times = 1) {
  for (ChildState last = child;; last = ChildFrom(DescribeChild(7, last), kNow)) {
    if (times-- == 0) return last;
  }
}

// Has served for the last two of its hundred seconds.
ChildState Serving() {
  ChildState child;
  child.pid = 17;
  child.ready = true;
  child.jitter = 0.75;
  child.policy.Started(kNow - 100 * kSecond);
  child.policy.Ready(kNow - 2 * kSecond);
  return child;
}

// Its fourth process in a row has died, and the next comes in 0.4 s.
ChildState WaitingToBeStarted() {
  ChildState child;
  for (int death = 0; death < 4; ++death) {
    child.policy.Started(kNow);
    child.due = child.policy.Died(kNow);
  }
  return child;
}

TEST(HandedChild, IsReadAsItWasWritten) {
  ChildState child = Serving();
  child.told_to_end = child.aborted = true;
  child.kill_at = kNow + kSecond;
  const internal::v1::HandedChild handed = DescribeChild(7, child);
  EXPECT_EQ(handed.index(), 7);
  EXPECT_EQ(DescribeChild(7, ChildFrom(handed, kNow)).SerializeAsString(),
            handed.SerializeAsString());
  const ChildState read = Handed(child);
  EXPECT_EQ(read.pid, 17);
  EXPECT_TRUE(read.ready && read.told_to_end && read.aborted);
  EXPECT_EQ(read.kill_at, kNow + kSecond);
  EXPECT_EQ(read.policy.history(), child.policy.history());
}

TEST(HandedChild, KeepsItsPartOfTheRecyclingBounds) {
  EXPECT_EQ(Handed(Serving(), 2).jitter, 0.75);
}

TEST(HandedChild, OfASlowBootIsNoLongLife) {
  ChildState child = Handed(Serving(), 2);
  EXPECT_EQ(child.policy.started(), kNow - 100 * kSecond);
  child.policy.Died(kNow - 1);
  EXPECT_EQ(child.policy.history().quick_deaths, 1);
  child = Handed(Serving(), 2);
  child.policy.Died(kNow);
  EXPECT_EQ(child.policy.history().quick_deaths, 0);
}

TEST(HandedChild, ThatDoesNotServeYetHasNoLife) {
  ChildState child = Serving();
  child.ready = false;
  child.policy.Started(kNow - 100 * kSecond);
  EXPECT_EQ(Handed(child).policy.history().ready, kNever);
}

TEST(HandedChild, OfAProgramThatDidNotTellServesSinceItsStart) {
  internal::v1::HandedChild handed = DescribeChild(7, Serving());
  handed.clear_ready_ns();
  EXPECT_EQ(ChildFrom(handed, kNow).policy.history().ready, kNow - 100 * kSecond);
}

TEST(HandedChild, ThatHasDiedWaitsOnAndIsNotForgiven) {
  const internal::v1::HandedChild handed = DescribeChild(7, WaitingToBeStarted());
  EXPECT_EQ(handed.ready_fd(), -1);
  EXPECT_EQ(handed.channel_fd(), -1);
  ChildState child = Handed(WaitingToBeStarted(), 2);
  EXPECT_EQ(child.pid, 0);
  EXPECT_EQ(child.due, kNow + 4 * kSecond / 10);
  EXPECT_EQ(child.policy.Died(child.due), child.due + 8 * kSecond / 10);
}

TEST(HandedChild, ThatCouldNotBeStartedIsTriedOnNoSooner) {
  ChildState child;
  for (int failure = 0; failure < 3; ++failure) child.due = child.policy.NotStarted(kNow);
  EXPECT_TRUE(HasHistory(child));
  child = Handed(child, 2);
  EXPECT_EQ(child.due, kNow + 4 * kSecond / 10);
  EXPECT_EQ(child.policy.NotStarted(kNow), kNow + 8 * kSecond / 10);
}

TEST(HandedChild, IsStartedByTheNextProgramWhenItIsDue) {
  SupervisorState state(1, absl::Seconds(30));
  state.children[kControl] = Handed(Serving());
  state.children[0] = Handed(WaitingToBeStarted());
  EXPECT_TRUE(Decide(state, TimePassed{kNow}).empty());
  EXPECT_EQ(state.NextDue(), kNow + 4 * kSecond / 10);
  EXPECT_EQ(Decide(state, TimePassed{state.NextDue()}),
            (std::vector<Action>{{ActionKind::kStart, 0}}));
}

TEST(HandedChild, APlaceThatNobodyHadIsNoHistory) {
  EXPECT_FALSE(HasHistory(ChildState()));
  EXPECT_TRUE(HasHistory(Serving()));
  EXPECT_TRUE(HasHistory(WaitingToBeStarted()));
}

}  // namespace
}  // namespace grove::supervisor
