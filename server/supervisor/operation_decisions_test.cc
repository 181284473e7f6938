#include <signal.h>

#include "gmock/gmock.h"
#include "server/refusal.h"
#include "server/supervisor/decisions_fixture.h"

namespace grove::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using enum ActionKind;

// --- A roll

TEST(Roll, ReplacesOneWorkerAfterTheOtherBehindAStandIn) {
  Daemon daemon = Serving();
  EXPECT_THAT(daemon.Reload(), ElementsAre(Action{kSayReplacing}));
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  EXPECT_THAT(daemon.PassTime(absl::Seconds(50)), IsEmpty()) << "not before it serves";
  EXPECT_EQ(daemon.operation(1).message, "waiting for the stand-in");
  EXPECT_THAT(daemon.Ready(kStandIn), IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 0}}));
  EXPECT_EQ(daemon.operation(1).message, "replacing grove-w0 (1 of 2)");
  EXPECT_THAT(daemon.PassTime(), IsEmpty());
  EXPECT_THAT(daemon.Die(0, Exited(0)), IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 0}}));
  EXPECT_THAT(daemon.PassTime(), IsEmpty()) << "its successor does not serve yet";
  daemon.Ready(0);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
  EXPECT_EQ(daemon.operation(1).steps_done, 1);
  daemon.Die(1, Exited(0));
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 1}}));
  daemon.Ready(1);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, kStandIn}}));
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
  EXPECT_EQ(daemon.operation(1).message, "replaced all 2");
  EXPECT_THAT(daemon.Die(kStandIn, Exited(0)), IsEmpty());
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  EXPECT_EQ(daemon.state.NextDue(), kNever);
}

TEST(Roll, AReplacedWorkersSuccessorIsDueAtOnceHoweverShortItsLifeWas) {
  Daemon daemon = Serving();
  for (int reload = 0; reload < 5; ++reload) {
    daemon.Reload();
    daemon.Settle();
    daemon.Ready(kStandIn);
    for (const int slot : {0, 1}) {
      EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, slot}}));
      EXPECT_THAT(daemon.Die(slot, Exited(0)), IsEmpty());
      EXPECT_EQ(daemon.Settle(), (Actions{{kStart, slot}}));
      daemon.Ready(slot);
    }
    EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, kStandIn}}));
    daemon.Die(kStandIn, Exited(0));
  }
}

TEST(Roll, DoesNotReplaceAWorkerThatIsAboutToBeANewOne) {
  Daemon daemon = Serving();
  for (int death = 0; death < 3; ++death) {
    daemon.Settle();
    daemon.Die(0, Exited(1));
  }
  ASSERT_GT(daemon.state.children[0].due, daemon.now);
  daemon.Reload();
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
}

TEST(Roll, NeverMoreThanOneWorkerIsAway) {
  Daemon daemon = ServingWith(3);
  daemon.Reload();
  daemon.Settle();
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 0}}));
  daemon.Die(1, Killed(SIGSEGV));
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 1}}));
  daemon.Replace(0);
  EXPECT_THAT(daemon.Settle(), IsEmpty()) << "1 boots, though it is not a part of it any more";
  daemon.Ready(1);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 2}}));
}

TEST(Roll, BeginsWithThoseThatNobodyMisses) {
  Daemon daemon = Serving();
  daemon.state.children[1].stuck = true;
  daemon.Reload();
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
}

TEST(Roll, GoesOnOnceAStandInThatDiedIsBack) {
  Daemon daemon = Replacing();
  daemon.Die(kStandIn, Killed(SIGSEGV));
  daemon.Replace(0);
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
}

TEST(Roll, AStandInThatDoesNotComeUpEndsItBeforeAnybodyWasTold) {
  Daemon daemon = Serving();
  daemon.Reload();
  daemon.Settle();
  EXPECT_THAT(daemon.Die(kStandIn, Exited(1)), IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  EXPECT_THAT(daemon.Die(kStandIn, Exited(1)),
              ElementsAre(Action{kSayRestartsLater, kStandIn, absl::Milliseconds(100)}));
  EXPECT_EQ(daemon.state.NextDue(), daemon.now + kSecond / 10);
  daemon.PassTime(absl::Milliseconds(100));
  daemon.Settle();
  daemon.Die(kStandIn, Exited(1));
  EXPECT_EQ(daemon.operation(1).state, OperationState::kFailed);
  EXPECT_EQ(daemon.operation(1).error.message(),
            "grove-stand-in did not come up 3 times; the log says why");
  EXPECT_EQ(daemon.operation(1).message, "2 of 2 were not replaced");
  EXPECT_THAT(daemon.PassTime(absl::Hours(1)), IsEmpty());
  EXPECT_FALSE(daemon.state.stopping);
}

TEST(Roll, ASuccessorThatDoesNotComeUpLeavesTheOthersAndTheStandInWhereItIsTheLast) {
  Daemon daemon = ServingWith(1);
  daemon.Reload();
  daemon.Settle();
  daemon.Ready(kStandIn);
  daemon.Settle();
  daemon.Die(0, Exited(0));
  for (int death = 0; death < kOperationFailuresMax; ++death) {
    daemon.PassTime(kBackoffMax);
    daemon.Settle();
    daemon.Die(0, Exited(1));
  }
  EXPECT_EQ(daemon.operation(1).state, OperationState::kFailed);
  daemon.PassTime(kBackoffMax);
  EXPECT_THAT(daemon.Settle(), ElementsAre(Action{kStart, 0})) << "it serves alone";
  daemon.Ready(0);
  EXPECT_THAT(daemon.Settle(), ElementsAre(Action{kTellToEnd, kStandIn}));
}

TEST(Roll, AStopEndsTheStandInToo) {
  Daemon daemon = ServingWith(1);
  daemon.Reload();
  daemon.Settle();
  EXPECT_EQ(
      daemon.Signal(SIGTERM),
      (Actions{{kStopServing}, {kTellToEnd, 0}, {kTellToEnd, kStandIn}, {kTellToEnd, kControl}}));
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSuperseded);
  for (const int child : {0, kControl, kStandIn}) daemon.Die(child, Exited(0));
  EXPECT_TRUE(daemon.state.Over());
  EXPECT_EQ(daemon.state.exit_code, process::kExitStopped);
}

TEST(Roll, ABootNeedsNoStandIn) {
  Daemon daemon = Booting();
  daemon.Ready(0);
  daemon.Reload();
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
}

TEST(Roll, OfTheOldGenerationAllAtOnceBehindTheStandIn) {
  Daemon daemon = ServingWith(3);
  daemon.Reload();
  daemon.Settle();
  EXPECT_THAT(daemon.Signal(SIGWINCH), IsEmpty()) << "it does not serve yet";
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 0}, {kTellToEnd, 1}, {kTellToEnd, 2}}));
  for (const int slot : {0, 1, 2}) daemon.Replace(slot);
  daemon.Settle();
  for (const int64_t number : {1, 2}) {
    EXPECT_EQ(daemon.operation(number).state, OperationState::kSucceeded) << number;
  }
}

// --- Reload

TEST(Reload, AnotherOneReplacesThoseAgainThatAreOlder) {
  Daemon daemon = Replacing();
  daemon.Replace(0);
  daemon.Settle();
  ASSERT_TRUE(daemon.state.children[1].told_to_end);
  daemon.Reload();
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSuperseded);
  EXPECT_EQ(daemon.operation(2).steps, 2);
  daemon.Replace(1);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 0}})) << "1 was born after it; 0 before";
}

TEST(Reload, OneThatIsRefusedChangesNothingOfTheOneUnderWay) {
  Daemon daemon = Replacing();
  daemon.Signal(SIGHUP);
  daemon.Do(ReloadRefused{2, absl::InvalidArgumentError("workers: too many"), daemon.now});
  EXPECT_EQ(daemon.operation(2).state, OperationState::kFailed);
  EXPECT_EQ(daemon.operation(2).error.message(), "workers: too many");
  EXPECT_EQ(daemon.operation(1).state, OperationState::kRunning);
  daemon.Replace(0);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
}

TEST(Reload, OneThatIsPreparedTooLateReplacesNothing) {
  Daemon daemon = Serving();
  daemon.Signal(SIGHUP);
  daemon.Signal(SIGTERM);
  EXPECT_THAT(daemon.Do(ReloadPrepared{.operation = 1, .now = daemon.now}), IsEmpty());
  EXPECT_THAT(daemon.PassTime(), IsEmpty());
}

TEST(Reload, MayReplaceControlAfterTheWorkers) {
  Daemon daemon = ServingWith(1);
  daemon.Signal(SIGHUP);
  daemon.Do(ReloadPrepared{.operation = 1, .now = daemon.now, .control = true});
  daemon.Settle();
  daemon.Ready(kStandIn);
  daemon.Settle();
  daemon.Replace(0);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToHandOver, kControl}, {kTellToEnd, kStandIn}}));
  daemon.Replace(kControl);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
  EXPECT_EQ(daemon.operation(1).steps_done, 2);
}

// As one that has begun, and whose preparation comes to this.
Actions Prepare(Daemon& daemon, ReloadPrepared prepared) {
  prepared.operation = daemon.Ask({.kind = OperationKind::kReload, .requested_by = ""});
  prepared.now = daemon.now;
  daemon.PassTime();
  return daemon.Do(prepared);
}

TEST(Reload, ThatIsDoneInPlaceReplacesNobody) {
  Daemon daemon = Serving();
  EXPECT_THAT(Prepare(daemon, {.workers = false, .in_place = "3 processes took it over"}),
              IsEmpty());
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
  EXPECT_EQ(daemon.operation(1).message, "3 processes took it over");
}

TEST(Reload, ReplacesThoseThatCouldNotTakeItOver) {
  Daemon daemon = Serving();
  EXPECT_THAT(Prepare(daemon, {.workers = false, .slots = {1}, .in_place = "2 took it over"}),
              IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
  daemon.Replace(1);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).message, "2 took it over; replaced grove-w1");
}

TEST(Reload, MayReplaceControlAlone) {
  Daemon daemon = Serving();
  Prepare(daemon, {.workers = false, .control = true});
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToHandOver, kControl}}));
  daemon.Replace(kControl);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).message, "replaced grove-control");
}

TEST(Reload, InPlaceTakesOverWhatOneBeforeHadYetToReplace) {
  Daemon daemon = Replacing();
  Prepare(daemon, {.workers = false});
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSuperseded);
  daemon.Replace(0);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
  daemon.Replace(1);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(2).state, OperationState::kSucceeded);
}

TEST(Reload, SupersedesAllThatAreUnderWay) {
  Daemon daemon = Serving();
  for (int i = 0; i < 3; ++i) daemon.Signal(SIGHUP);
  daemon.Do(ReloadPrepared{.operation = 3, .now = daemon.now, .workers = false});
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSuperseded);
  EXPECT_EQ(daemon.operation(2).state, OperationState::kSuperseded);
  EXPECT_EQ(daemon.operation(3).state, OperationState::kSucceeded);
}

// --- Restart

TEST(Restart, OfOneWorkerReplacesItAlone) {
  Daemon daemon = ServingWith(3);
  ASSERT_EQ(daemon.Ask({.kind = OperationKind::kRestart, .requested_by = "", .slots = {1}}), 1);
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
  daemon.Replace(1);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, kStandIn}}));
  EXPECT_EQ(daemon.operation(1).message, "replaced grove-w1");
}

TEST(Restart, OfAWorkerThatIsNotThereIsRefused) {
  Daemon daemon = Serving();
  const absl::Status refused =
      AskFor(daemon.state, {.kind = OperationKind::kRestart, .requested_by = "", .slots = {2}},
             daemon.now)
          .status();
  EXPECT_EQ(refused, Refusal(absl::StatusCode::kNotFound, "WORKER_NOT_FOUND",
                             "no worker 2: there are workers 0 to 1"));
}

TEST(Restart, OfControlIsAHandOver) {
  Daemon daemon = Serving();
  daemon.Ask({.kind = OperationKind::kRestart, .requested_by = "", .control = true});
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToHandOver, kControl}}));
  EXPECT_EQ(daemon.state.NextDue(), DeadlineAfter(daemon.now, kKillGrace));
  EXPECT_THAT(daemon.Die(kControl, Exited(0)), IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kControl}}));
  EXPECT_EQ(daemon.operation(1).state, OperationState::kRunning);
  daemon.Ready(kControl);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
}

TEST(Restart, OfWorkersWhoseSocketsAreNewIsOneForAll) {
  Daemon daemon = Serving();
  EXPECT_THAT(daemon.Do(SocketsRemade{{1}}), IsEmpty());
  EXPECT_THAT(daemon.Do(SocketsRemade{{1}}), IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
  daemon.Replace(1);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, kStandIn}}));
}

// --- Scale

TEST(Scale, UpStartsThoseThatAreMissing) {
  Daemon daemon = Serving();
  daemon.Ask({.kind = OperationKind::kScale, .requested_by = "", .workers = 4});
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 2}, {kStart, 3}}));
  daemon.Ready(2);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).steps_done, 1);
  EXPECT_EQ(daemon.operation(1).steps, 2);
  daemon.Ready(3);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
  EXPECT_EQ(daemon.operation(1).message, "from 2 to 4 workers");
}

TEST(Scale, DownDrainsTheHighestSlotsAndLeavesThemEmpty) {
  Daemon daemon = ServingWith(3);
  daemon.Ask({.kind = OperationKind::kScale, .requested_by = "", .workers = 1});
  EXPECT_EQ(
      daemon.Settle(),
      (Actions{{kCloseOwnSockets, 1}, {kTellToEnd, 1}, {kCloseOwnSockets, 2}, {kTellToEnd, 2}}));
  EXPECT_EQ(daemon.Die(2, Exited(0)), (Actions{{kReleaseSlot, 2}}));
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  EXPECT_EQ(daemon.operation(1).state, OperationState::kRunning);
  EXPECT_EQ(daemon.Die(1, Killed(SIGKILL)), (Actions{{kReleaseSlot, 1}}));
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSucceeded);
  EXPECT_EQ(daemon.state.NextDue(), kNever);
}

TEST(Scale, ASlotThatDrainsIsTakenAgainOnceItIsEmpty) {
  Daemon daemon = Serving();
  daemon.Signal(SIGTTOU);
  daemon.Signal(SIGTTIN);
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  EXPECT_EQ(daemon.operation(1).state, OperationState::kSuperseded);
  EXPECT_THAT(daemon.Die(1, Exited(0)), IsEmpty());
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 1}}));
  daemon.Ready(1);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(2).state, OperationState::kSucceeded);
}

TEST(Scale, ByOneCountsFromWhatWasAskedForLast) {
  Daemon daemon = Replacing();
  for (int i = 0; i < 3; ++i) daemon.Signal(SIGTTIN);
  EXPECT_EQ(daemon.operation(4).spec.workers, 5);
  EXPECT_EQ(daemon.operation(4).state, OperationState::kWaiting);
  EXPECT_EQ(daemon.operation(3).state, OperationState::kSuperseded);
}

TEST(Scale, KeepsWithinItsBounds) {
  Daemon daemon = ServingWith(1);
  const auto scale = [&](int workers, int change) {
    return AskFor(daemon.state,
                  {.kind = OperationKind::kScale,
                   .requested_by = "",
                   .workers = workers,
                   .change = change},
                  daemon.now)
        .status()
        .code();
  };
  EXPECT_EQ(scale(0, -1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(scale(config::kWorkersMax + 1, 0), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(scale(0, config::kWorkersMax), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(scale(config::kWorkersMax, 0), absl::StatusCode::kOk);
}

TEST(Scale, GoesBackIfTheNewOnesDoNotComeUp) {
  Daemon daemon = Serving();
  daemon.Signal(SIGTTIN);
  for (int death = 0; death < kOperationFailuresMax; ++death) {
    daemon.PassTime(kBackoffMax);
    daemon.Settle();
    daemon.Die(2, Exited(1));
  }
  EXPECT_EQ(daemon.operation(1).state, OperationState::kFailed);
  EXPECT_EQ(daemon.operation(1).message, "2 workers, as before");
  EXPECT_THAT(daemon.PassTime(absl::Hours(1)), IsEmpty());
}

// --- Recycling

Daemon Recycling(const RecycleBounds& bounds) {
  Daemon daemon = Serving();
  daemon.state.recycle = bounds;
  return daemon;
}

LoadSeen Load(const Daemon& daemon, int worker, int64_t requests, int64_t rss_bytes = 0) {
  return {.worker = worker, .requests = requests, .rss_bytes = rss_bytes, .now = daemon.now};
}

TEST(Recycle, AWorkerAtABoundIsReplacedBehindAStandIn) {
  Daemon daemon = Recycling({.requests = 100});
  daemon.Do(Load(daemon, 1, 99));
  EXPECT_THAT(daemon.Settle(), IsEmpty());
  daemon.Do(Load(daemon, 1, 100));
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, kStandIn}}));
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 1}}));
  EXPECT_EQ(ReasonOf(daemon.state.children[1], Exited(0), false),
            metrics::ExitReason::kMaxRequests);
  daemon.Replace(1);
  daemon.Settle();
  EXPECT_EQ(daemon.operation(1).message, "replaced grove-w1 (max_requests)");
}

TEST(Recycle, EachBoundHasItsName) {
  const struct {
    RecycleBounds bounds;
    const char* reason;
  } table[] = {{{.requests = 100}, "max_requests"},
               {{.age = absl::Minutes(30)}, "max_age"},
               {{.rss_bytes = 5000}, "max_rss"}};
  for (const auto& row : table) {
    Daemon daemon = Recycling(row.bounds);
    daemon.Do(Load(daemon, 0, 100, 5000));
    EXPECT_EQ(daemon.operation(1).spec.reason, row.reason);
  }
}

TEST(Recycle, ABoundIsLowerByItsJitter) {
  Daemon daemon = Recycling({.requests = 100, .jitter_percent = 20});
  daemon.state.children[0].jitter = 0.5;
  daemon.Do(Load(daemon, 0, 89));
  EXPECT_TRUE(daemon.state.operations.all().empty());
  daemon.Do(Load(daemon, 0, 90));
  EXPECT_EQ(daemon.state.operations.all().size(), 1u);
}

TEST(Recycle, OneAtATimeAndWhoIsBeingReplacedNotAgain) {
  Daemon daemon = Recycling({.requests = 100});
  daemon.Do(Load(daemon, 0, 100));
  daemon.Do(Load(daemon, 1, 100));
  EXPECT_EQ(daemon.state.operations.all().size(), 1u);
  daemon = Replacing();
  daemon.state.recycle = {.requests = 100};
  for (const int worker : {0, 1}) daemon.Do(Load(daemon, worker, 100));
  EXPECT_EQ(daemon.state.operations.all().size(), 1u) << "the reload alone";
}

TEST(Recycle, AfterOneThatFailedItWaits) {
  Daemon daemon = Recycling({.requests = 100});
  daemon.Do(Load(daemon, 0, 100));
  for (int i = 0; i < kStartsForgiven + kOperationFailuresMax; ++i) {
    daemon.PassTime(kBackoffMax);
    daemon.Do(StartFailed{kStandIn, false, daemon.now});
  }
  ASSERT_EQ(daemon.operation(1).state, OperationState::kFailed);
  daemon.Do(Load(daemon, 0, 100));
  EXPECT_EQ(daemon.state.operations.all().size(), 1u);
  daemon.now += absl::ToInt64Nanoseconds(kRecyclePause);
  daemon.Do(Load(daemon, 0, 100));
  EXPECT_EQ(daemon.state.operations.all().size(), 2u);
}

// --- All of them

TEST(Operations, TheNextBeginsWhenOneIsOver) {
  Daemon daemon = Serving();
  daemon.Ask({.kind = OperationKind::kRestart, .requested_by = "", .control = true});
  daemon.Ask({.kind = OperationKind::kScale, .requested_by = "", .workers = 3});
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToHandOver, kControl}}));
  daemon.Replace(kControl);
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 2}}));
}

TEST(Operations, AStartThatFailsOnAndOnCountsAsOneThatDidNotComeUp) {
  Daemon daemon = Serving();
  daemon.Reload();
  for (int i = 0; i < kStartsForgiven + kOperationFailuresMax; ++i) {
    EXPECT_EQ(daemon.operation(1).state, OperationState::kRunning) << i;
    EXPECT_EQ(daemon.PassTime(kBackoffMax), (Actions{{kStart, kStandIn}}));
    daemon.Do(StartFailed{kStandIn, false, daemon.now});
  }
  EXPECT_EQ(daemon.operation(1).state, OperationState::kFailed);
}

TEST(Operations, AStartThatFailsForAMomentFailsNone) {
  Daemon daemon = Serving();
  daemon.Reload();
  for (int times = 0; times < kStartsForgiven; ++times) {
    EXPECT_EQ(daemon.PassTime(kBackoffMax), (Actions{{kStart, kStandIn}}));
    daemon.Do(StartFailed{kStandIn, false, daemon.now});
  }
  daemon.now += absl::ToInt64Nanoseconds(kBackoffMax);
  daemon.Settle();
  daemon.Ready(kStandIn);
  EXPECT_EQ(daemon.Settle(), (Actions{{kTellToEnd, 0}}));
  EXPECT_EQ(daemon.operation(1).state, OperationState::kRunning);
}

TEST(Operations, ALogLevelIsOneThatThereIs) {
  Daemon daemon = Replacing();
  const auto set = [&](const char* level) {
    return AskFor(daemon.state,
                  {.kind = OperationKind::kSetLogLevel, .requested_by = "", .level = level},
                  daemon.now);
  };
  EXPECT_EQ(set("loud").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RefusalReason(set("loud").status()), "LOG_LEVEL_UNKNOWN");
  ASSERT_TRUE(set("debug").ok());
  EXPECT_EQ(daemon.PassTime(), (Actions{{.kind = kSetLogLevel, .operation = 2}}))
      << "beside the reload";
}

TEST(Operations, NoneIsTakenOnceTheDaemonStops) {
  Daemon daemon = Stopping();
  for (const OperationKind kind : {OperationKind::kReload, OperationKind::kRestart}) {
    EXPECT_EQ(AskFor(daemon.state, {.kind = kind, .requested_by = ""}, daemon.now).status(),
              Refusal(absl::StatusCode::kFailedPrecondition, "DAEMON_STOPS", "the daemon stops"));
  }
}

TEST(Operations, ADrainOfTheDaemonIsAStop) {
  Daemon daemon = Serving();
  daemon.Ask({.kind = OperationKind::kDrain, .requested_by = ""});
  EXPECT_EQ(daemon.PassTime(),
            (Actions{{kStopServing}, {kTellToEnd, 0}, {kTellToEnd, 1}, {kTellToEnd, kControl}}));
  EXPECT_EQ(daemon.operation(1).state, OperationState::kRunning);
}

TEST(Operations, AnUpgradeThatFailsLeavesTheProgram) {
  Daemon daemon = Serving();
  EXPECT_EQ(daemon.Signal(SIGUSR2), (Actions{{.kind = kUpgrade, .operation = 1}}));
  daemon.Do(UpgradeFailed{1, absl::InternalError("exit code 2"), daemon.now});
  EXPECT_EQ(daemon.operation(1).state, OperationState::kFailed);
}

TEST(OperationOf, WhatATerminalSendsIsAboutItself) {
  for (const int signal : {SIGWINCH, SIGTTIN, SIGTTOU}) {
    EXPECT_FALSE(OperationOf({.number = signal, .now = 0}).has_value()) << signal;
    EXPECT_TRUE(OperationOf({.number = signal, .now = 0, .from_pid = 17}).has_value()) << signal;
  }
  EXPECT_EQ(OperationOf({.number = SIGHUP, .now = 0, .from_pid = 17})->requested_by,
            "SIGHUP of pid 17");
}

}  // namespace
}  // namespace grove::supervisor
