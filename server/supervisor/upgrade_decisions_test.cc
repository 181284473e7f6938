#include "gmock/gmock.h"
#include "server/supervisor/decisions_fixture.h"

namespace grove::supervisor {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using enum ActionKind;

// One that has become the new program of operation 1.
Daemon Upgraded() {
  Daemon daemon = Serving();
  daemon.Ask({.kind = OperationKind::kUpgrade, .requested_by = ""});
  daemon.PassTime();
  daemon.Do(ProgramReplaced{.operation = 1, .now = daemon.now});
  return daemon;
}

TEST(Upgrade, BeginsWithATrialAndWaitsForIt) {
  Daemon daemon = Serving();
  EXPECT_EQ(daemon.Signal(SIGUSR2), (Actions{{.kind = kUpgrade, .operation = 1}}));
  EXPECT_THAT(daemon.PassTime(absl::Seconds(50)), IsEmpty());
  EXPECT_EQ(daemon.operation(1).state, OperationState::kRunning);
}

TEST(Upgrade, ThatFailsItsTrialChangesNothing) {
  Daemon daemon = Serving();
  daemon.Signal(SIGUSR2);
  daemon.Do(UpgradeFailed{1, absl::NotFoundError("no such program"), daemon.now});
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  EXPECT_EQ(daemon.operation(1).state, OperationState::kFailed);
  EXPECT_EQ(daemon.operation(1).error, absl::NotFoundError("no such program"));
  EXPECT_EQ(daemon.operation(1).message, "the program goes on as it was");
}

TEST(Upgrade, NobodyIsToldToEndBeforeTheStandInAndControlServe) {
  Daemon daemon = Upgraded();
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  EXPECT_THAT(daemon.PassTime(absl::Seconds(10)), IsEmpty());
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToHandOver, kControl}}));
  EXPECT_THAT(daemon.PassTime(), IsEmpty());
  daemon.Die(kControl, Exited(0));
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kControl}}));
  EXPECT_EQ(daemon.Ready(kControl), (Actions{{kProven}}));
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 0}}));
  daemon.Replace(0);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
  daemon.Replace(1);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, kStandIn}}));
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
  EXPECT_THAT(daemon.operation(1).message, HasSubstr("new program"));
}

TEST(Upgrade, AStandInThatFailsTwiceEndsIt) {
  Daemon daemon = Upgraded();
  daemon.Settle();
  EXPECT_THAT(daemon.Die(kStandIn, Exited(1)), IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  EXPECT_THAT(daemon.Die(kStandIn, Exited(1)),
              ::testing::Contains(Action{.kind = kGoBack, .operation = 1}));
}

TEST(Upgrade, AControlThatFailsTwiceEndsIt) {
  Daemon daemon = Upgraded();
  daemon.Settle();
  daemon.Ready(kStandIn);
  daemon.Settle();
  daemon.Die(kControl, Exited(0));
  daemon.Settle();
  daemon.Die(kControl, Exited(2));
  daemon.Settle();
  EXPECT_THAT(daemon.Die(kControl, Exited(2)),
              ::testing::Contains(Action{.kind = kGoBack, .operation = 1}));
}

TEST(Upgrade, AControlThatIsKilledMeanwhileIsReplacedAllTheSame) {
  Daemon daemon = Upgraded();
  daemon.Settle();
  daemon.Die(kControl, Killed(SIGKILL));
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kControl}}));
  daemon.Ready(kStandIn);
  daemon.Settle();
  EXPECT_EQ(daemon.Ready(kControl), (Actions{{kProven}}));
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 0}}));
}

TEST(Upgrade, WorkersThatDieMeanwhileAreNewOnesAlready) {
  Daemon daemon = Upgraded();
  daemon.Die(0, Killed(SIGKILL));
  daemon.Die(1, Killed(SIGKILL));
  daemon.Settle();
  daemon.Ready(0);
  daemon.Ready(1);
  daemon.Ready(kStandIn);
  daemon.Settle();
  daemon.Die(kControl, Exited(0));
  daemon.Settle();
  EXPECT_EQ(daemon.Ready(kControl), (Actions{{kProven}}));
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
}

TEST(Upgrade, AWorkerThatKeepsDyingIsNotStartedEarlierByTheNewProgram) {
  Daemon daemon = Serving();
  for (int death = 0; death < 3; ++death) {
    daemon.Die(0, Killed(SIGSEGV));
    daemon.Settle();
  }
  const MonotonicNanos due = daemon.state.children[0].due;
  ASSERT_GT(due, daemon.now);
  daemon.Ask({.kind = OperationKind::kUpgrade, .requested_by = ""});
  daemon.PassTime();
  daemon.Do(ProgramReplaced{.operation = 1, .now = daemon.now});
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToHandOver, kControl}}));
  daemon.now = due;
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 0}}));
}

TEST(Upgrade, WhatIsToldAfterIt) {
  Daemon daemon = Upgraded();
  EXPECT_EQ(daemon.Ask({.kind = OperationKind::kReload, .requested_by = ""}), 2);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(2).state, OperationState::kWaiting);
}

TEST(Upgrade, AStopEndsItToo) {
  Daemon daemon = Upgraded();
  daemon.Settle();
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSuperseded);
  daemon.Die(kStandIn, Exited(0));
  EXPECT_THAT(daemon.Settle(), IsEmpty());
}

TEST(GoingBack, StartsControlAgainAndReplacesWhatIsNewer) {
  Daemon daemon = Serving();
  daemon.Signal(SIGUSR2);
  daemon.Do(ChildStarted{kStandIn, ++daemon.last_pid, daemon.now});
  daemon.Die(kControl, Exited(0));
  EXPECT_THAT(daemon.Do(WentBack{.operation = 1,
                                 .why = absl::InternalError("grove-control died"),
                                 .newer = {1, kStandIn, kControl},
                                 .now = daemon.now}),
              IsEmpty());
  EXPECT_EQ(daemon.operation(1).state, OperationState::kFailed);
  EXPECT_THAT(daemon.Settle(), ::testing::Contains(Action{kStart, kControl}));
  EXPECT_EQ(daemon.operation(2).spec.slots, std::vector<int>{1});
}

TEST(GoingBack, ANewerControlThatRunsHandsOver) {
  Daemon daemon = Serving();
  daemon.Signal(SIGUSR2);
  EXPECT_EQ(daemon.Do(WentBack{.operation = 1,
                               .why = absl::InternalError("its stand-in died"),
                               .newer = {kControl},
                               .now = daemon.now}),
            (Actions{{kTellToHandOver, kControl}}));
}

}  // namespace
}  // namespace grove::supervisor
