#include "server/supervisor/supervisor_decisions.h"

#include <signal.h>

#include "gmock/gmock.h"
#include "server/supervisor/decisions_fixture.h"

namespace grove::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using enum ActionKind;

// --- Every signal in every state

const Actions kNothing;
const Actions kDrainAll = {
    {kStopServing}, {kTellToEnd, 0}, {kTellToEnd, 1}, {kTellToEnd, kControl}};
const Actions kReopenBoth = {{kReopenLogs, 0}, {kReopenLogs, 1}};

const Actions kKillAll = {{kKill, 0}, {kKill, 1}, {kKill, kControl}};
const Actions kDrainAndKillAll = {{kStopServing},         {kTellToEnd, 0}, {kTellToEnd, 1},
                                  {kTellToEnd, kControl}, {kKill, 0},      {kKill, 1},
                                  {kKill, kControl}};
// Worker 0 has been told already.
const Actions kDrainTheOthers = {
    {kStopServing}, {kTellToEnd, 1}, {kTellToEnd, kStandIn}, {kTellToEnd, kControl}};
const Action kPrepare{.kind = kPrepareReload, .operation = 1};
const Action kPrepareAgain{.kind = kPrepareReload, .operation = 2};

Daemon BootingDaemon() {
  return Booting();
}

TEST(Decide, AnswersEverySignalInEveryState) {
  const struct {
    const char* what;
    Daemon (*state)();
    int signal;
    Actions expected;
  } table[] = {
      {"booting", &BootingDaemon, SIGTERM, kDrainAll},
      {"booting", &BootingDaemon, SIGINT, kDrainAll},
      {"booting", &BootingDaemon, SIGQUIT, kDrainAndKillAll},
      {"booting", &BootingDaemon, SIGHUP, {kPrepare}},
      {"booting", &BootingDaemon, SIGUSR1, kReopenBoth},
      {"booting", &BootingDaemon, SIGCHLD, kNothing},
      {"serving", &Serving, SIGTERM, kDrainAll},
      {"serving", &Serving, SIGINT, kDrainAll},
      {"serving", &Serving, SIGQUIT, kDrainAndKillAll},
      {"serving", &Serving, SIGHUP, {kPrepare}},
      {"serving", &Serving, SIGTTIN, {{kStart, 2}}},
      {"serving", &Serving, SIGTTOU, {{kCloseOwnSockets, 1}, {kTellToEnd, 1}}},
      {"serving", &Serving, SIGWINCH, kNothing},
      {"serving", &Serving, SIGUSR2, {{.kind = kUpgrade, .operation = 1}}},
      {"serving", &Serving, SIGUSR1, kReopenBoth},
      {"serving", &Serving, SIGCHLD, kNothing},
      {"replacing", &Replacing, SIGTERM, kDrainTheOthers},
      {"replacing", &Replacing, SIGINT, kDrainTheOthers},
      {"replacing", &Replacing, SIGHUP, {kPrepareAgain}},
      {"replacing",
       &Replacing,
       SIGUSR1,
       {{kReopenLogs, 0}, {kReopenLogs, 1}, {kReopenLogs, kStandIn}}},
      // They wait for the reload.
      {"replacing", &Replacing, SIGTTIN, kNothing},
      {"replacing", &Replacing, SIGUSR2, kNothing},
      {"replacing", &Replacing, SIGWINCH, {{kTellToEnd, 1}}},
      {"replacing", &Replacing, SIGCHLD, kNothing},
      {"stopping", &Stopping, SIGTERM, kNothing},  // a repetition, as it comes at once
      {"stopping", &Stopping, SIGINT, kKillAll},
      {"stopping", &Stopping, SIGQUIT, kKillAll},
      {"stopping", &Stopping, SIGTTIN, kNothing},
      {"stopping", &Stopping, SIGHUP, kNothing},
      {"stopping", &Stopping, SIGUSR1, kReopenBoth},
      {"stopping", &Stopping, SIGCHLD, kNothing},
  };
  for (const auto& row : table) {
    Daemon daemon = row.state();
    EXPECT_EQ(daemon.Signal(row.signal), row.expected) << row.what << ", signal " << row.signal;
  }
}

TEST(Decide, SendsNoSignalToChildrenThatDoNotRun) {
  Daemon daemon = Serving();
  daemon.Die(1, Exited(0));
  EXPECT_THAT(daemon.Signal(SIGUSR1), ElementsAre(Action{kReopenLogs, 0}));
  EXPECT_THAT(daemon.Signal(SIGTERM), ElementsAre(Action{kStopServing}, Action{kTellToEnd, 0},
                                                  Action{kTellToEnd, kControl}));
  daemon.now += kSecond;
  EXPECT_THAT(daemon.Signal(SIGTERM), ElementsAre(Action{kKill, 0}, Action{kKill, kControl}));
}

TEST(Decide, ASecondSigtermCountsFromASecondOn) {
  Daemon daemon = Serving();
  EXPECT_EQ(daemon.Signal(SIGTERM), kDrainAll);
  daemon.now += kSecond - 1;
  EXPECT_EQ(daemon.Signal(SIGTERM), kNothing);
  daemon.now += 1;
  EXPECT_EQ(daemon.Signal(SIGTERM), kKillAll);
}

// --- A worker's death in every state

TEST(Decide, AWorkersDeathIsFollowedByItsSuccessorUnlessTheDaemonStops) {
  const struct {
    const char* what;
    Daemon (*state)();
    int worker;
    int wait_status;
    Actions then;  // once time passes
    int exit_code;
  } table[] = {
      {"booting", &BootingDaemon, 0, Killed(SIGSEGV), {{kStart, 0}}, 0},
      {"booting", &BootingDaemon, 0, Exited(1), {{kStart, 0}}, 0},
      // Its exit codes mean nothing to the boot: only control's do.
      {"booting", &BootingDaemon, 0, Exited(process::kExitBadConfig), {{kStart, 0}}, 0},
      {"serving", &Serving, 1, Killed(SIGKILL), {{kStart, 1}}, 0},
      {"serving", &Serving, 1, Exited(0), {{kStart, 1}}, 0},
      {"replacing", &Replacing, 0, Exited(0), {{kStart, 0}}, 0},
      {"replacing", &Replacing, 0, Exited(1), {{kStart, 0}}, 0},
      {"replacing", &Replacing, 1, Exited(1), {{kStart, 1}}, 0},
      {"stopping", &Stopping, 0, Exited(0), {}, process::kExitStopped},
      {"stopping", &Stopping, 0, Killed(SIGTERM), {}, process::kExitStopped},
      {"stopping", &Stopping, 0, Exited(1), {}, process::kExitCrash},
      {"stopping", &Stopping, 0, Killed(SIGKILL), {}, process::kExitCrash},
  };
  for (const auto& row : table) {
    Daemon daemon = row.state();
    EXPECT_THAT(daemon.Die(row.worker, row.wait_status), IsEmpty()) << row.what;
    EXPECT_EQ(daemon.PassTime(), row.then) << row.what << ", wait status " << row.wait_status;
    EXPECT_EQ(daemon.state.exit_code, row.exit_code) << row.what;
  }
}

TEST(Decide, OnesThatKeepDyingStartLaterAndLater) {
  Daemon daemon = Serving();
  daemon.Die(0, Exited(1));
  daemon.Settle();
  EXPECT_THAT(daemon.Die(0, Exited(1)), IsEmpty());  // the first quick death is forgiven
  daemon.Settle();
  for (const int pause_ms : {100, 200, 400}) {
    EXPECT_THAT(daemon.Die(0, Exited(1)),
                ElementsAre(Action{kSayRestartsLater, 0, absl::Milliseconds(pause_ms)}));
    EXPECT_EQ(daemon.state.NextDue(), daemon.now + pause_ms * kSecond / 1000);
    EXPECT_THAT(daemon.PassTime(absl::Milliseconds(pause_ms) - absl::Nanoseconds(1)), IsEmpty());
    EXPECT_THAT(daemon.PassTime(absl::Nanoseconds(1)), ElementsAre(Action{kStart, 0}));
    daemon.Settle();
  }
}

// --- Control's death

TEST(Decide, ControlThatSaidWhyItCannotStartEndsTheBootWithItsCode) {
  for (const int code : {process::kExitBadConfig, process::kExitCannotBind}) {
    Daemon daemon = Booting();
    EXPECT_THAT(daemon.Die(kControl, Exited(code)),
                ElementsAre(Action{kStopServing}, Action{kTellToEnd, 0}, Action{kTellToEnd, 1}));
    EXPECT_EQ(daemon.state.exit_code, code);
  }
}

TEST(Decide, OnceTheDaemonHasServedControlIsStartedAgainWhateverItsCode) {
  for (const int code : {process::kExitCrash, process::kExitBadConfig, process::kExitCannotBind}) {
    Daemon daemon = Serving();
    EXPECT_THAT(daemon.Die(kControl, Exited(code)), IsEmpty());
    EXPECT_THAT(daemon.PassTime(), ElementsAre(Action{kStart, kControl}));
  }
}

TEST(Decide, ItIsNotTheBootThatEndsWhenControlCannotStartAgain) {
  Daemon daemon = Serving();
  daemon.Die(kControl, Killed(SIGKILL));
  daemon.Settle();
  EXPECT_THAT(daemon.Die(kControl, Exited(process::kExitCannotBind)), IsEmpty());
  EXPECT_FALSE(daemon.state.stopping);
}

TEST(Decide, ControlsDeathWhileStoppingIsACrashUnlessItEndedAsTold) {
  for (const auto& [status, code] : {std::pair(Exited(0), 0), {Exited(1), 1}, {Killed(9), 1}}) {
    Daemon daemon = Stopping();
    EXPECT_THAT(daemon.Die(kControl, status), IsEmpty());
    EXPECT_EQ(daemon.state.exit_code, code);
  }
}

// --- The boot

TEST(Decide, TheDaemonServesOnceAllAreReadyAndSaysSoOnce) {
  Daemon daemon = Booting();
  EXPECT_THAT(daemon.Do(ChildReady{0, daemon.now}), IsEmpty());
  EXPECT_THAT(daemon.Do(ChildReady{kControl, daemon.now}), IsEmpty());
  EXPECT_THAT(daemon.Do(ChildReady{1, daemon.now}), ElementsAre(Action{kAnnounceServing}));
  daemon.Die(1, Exited(1));
  daemon.Settle();
  EXPECT_THAT(daemon.Do(ChildReady{1, daemon.now}), IsEmpty());
}

TEST(Decide, ABootThatStopsIsNotAnnounced) {
  Daemon daemon = Booting();
  daemon.Do(ChildReady{0, daemon.now});
  daemon.Do(ChildReady{1, daemon.now});
  daemon.Signal(SIGTERM);
  EXPECT_THAT(daemon.Do(ChildReady{kControl, daemon.now}), IsEmpty());
}

TEST(Decide, GivesUpWhenChildrenDieBeforeTheyAreReady) {
  Daemon daemon = Booting();
  for (int death = 1; death < kBootFailuresMax; ++death) {
    daemon.Die(death % 3 == 2 ? kControl : death % 3, Exited(1));
    daemon.PassTime(absl::Seconds(10));
    daemon.Settle();
    EXPECT_FALSE(daemon.state.stopping) << death;
  }
  EXPECT_THAT(daemon.Die(0, Exited(1)),
              ElementsAre(Action{kSayGivingUp}, Action{kStopServing}, Action{kTellToEnd, 1},
                          Action{kTellToEnd, kControl}));
  EXPECT_EQ(daemon.state.exit_code, process::kExitCannotBoot);
}

TEST(Decide, ADeathAfterReadinessIsNoFailedBoot) {
  Daemon daemon = Booting();
  for (int death = 0; death < 2 * kBootFailuresMax; ++death) {
    daemon.Do(ChildReady{0, daemon.now});
    daemon.Die(0, Exited(1));
    daemon.PassTime(absl::Seconds(10));
    daemon.Settle();
  }
  EXPECT_FALSE(daemon.state.stopping);
}

// Tries to start `child`, in vain, until the pauses have become the longest.
void FailToStart(Daemon& daemon, int child) {
  for (const int pause_ms : {100, 200, 400, 800, 1600, 3200, 6400}) {
    EXPECT_THAT(daemon.Do(StartFailed{child, false, daemon.now}), IsEmpty());
    EXPECT_THAT(daemon.PassTime(absl::Milliseconds(pause_ms) - absl::Nanoseconds(1)), IsEmpty());
    EXPECT_THAT(daemon.PassTime(absl::Nanoseconds(1)), ElementsAre(Action{kStart, child}));
  }
}

TEST(Decide, AStartThatFailsIsTriedAgainLaterAndLater) {
  Daemon daemon = Serving();
  daemon.Die(0, Killed(SIGKILL));
  FailToStart(daemon, 0);
  for (int times = 0; times < 100; ++times) {
    EXPECT_THAT(daemon.Do(StartFailed{0, false, daemon.now}), IsEmpty());
    EXPECT_THAT(daemon.PassTime(kBackoffMax - absl::Nanoseconds(1)), IsEmpty());
    EXPECT_THAT(daemon.PassTime(absl::Nanoseconds(1)), ElementsAre(Action{kStart, 0}));
  }
  daemon.Settle();
  daemon.Ready(0);
  daemon.Die(0, Killed(SIGKILL));
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 0}})) << "all is forgiven";
}

TEST(Decide, OthersAreStartedMeanwhile) {
  Daemon daemon;
  EXPECT_THAT(daemon.PassTime(), ElementsAre(Action{kStart, 0}));
  daemon.Do(StartFailed{0, false, daemon.now});
  EXPECT_EQ(daemon.Settle(), (Actions{{kStart, 1}, {kStart, kControl}}));
}

TEST(Decide, ABootGivesUpOnceStartsHaveFailedForLong) {
  Daemon daemon(1);
  daemon.Do(ChildStarted{kControl, 101, daemon.now});
  daemon.PassTime();
  FailToStart(daemon, 0);
  for (int failure = 1; failure < kBootFailuresMax; ++failure) {
    EXPECT_THAT(daemon.Do(StartFailed{0, false, daemon.now}), IsEmpty());
    daemon.PassTime(kBackoffMax);
  }
  EXPECT_THAT(
      daemon.Do(StartFailed{0, false, daemon.now}),
      ElementsAre(Action{kSayGivingUp}, Action{kStopServing}, Action{kTellToEnd, kControl}));
  EXPECT_EQ(daemon.state.exit_code, process::kExitCannotBoot);
}

TEST(Decide, AHopelessStartEndsTheDaemon) {
  Daemon daemon;
  daemon.PassTime();
  daemon.Do(ChildStarted{0, 101, daemon.now});
  EXPECT_THAT(daemon.Do(StartFailed{1, true, daemon.now}),
              ElementsAre(Action{kStopServing}, Action{kTellToEnd, 0}));
  EXPECT_EQ(daemon.state.exit_code, process::kExitCrash);
  EXPECT_THAT(daemon.PassTime(), IsEmpty());
}

TEST(Decide, ADaemonThatHasLostItsDirectoriesEnds) {
  Daemon daemon = Serving();
  EXPECT_EQ(daemon.Do(DirectoryLost{daemon.now}), kDrainAll);
  EXPECT_EQ(daemon.state.exit_code, process::kExitBadConfig);
  EXPECT_THAT(daemon.Do(SocketsRemade{{0, 1}}), IsEmpty());
  EXPECT_THAT(daemon.Settle(), IsEmpty());
}

// --- Standstills

// Looks once a second at `child`, whose hub turned last at `last_turn`, until something is to be
// done or `looks` are over.
Actions LookAt(Daemon& daemon, int child, MonotonicNanos last_turn, int looks) {
  for (; looks > 0; --looks) {
    daemon.now += kSecond;
    Actions some = daemon.Do(HubSeen{child, last_turn, daemon.now});
    if (!some.empty()) return some;
  }
  return {};
}

TEST(Decide, AHubThatDoesNotTurnIsSaidKilledWithAReportAndThenForGood) {
  for (const int child : {0, kControl}) {
    Daemon daemon = Serving();
    const MonotonicNanos last = daemon.now;
    daemon.Do(HubSeen{child, last, daemon.now});
    EXPECT_THAT(LookAt(daemon, child, last, 4), IsEmpty());
    EXPECT_EQ(LookAt(daemon, child, last, 1), (Actions{{kSayStuck, child, absl::Seconds(5)}}));
    EXPECT_THAT(LookAt(daemon, child, last, 24), IsEmpty());
    EXPECT_EQ(LookAt(daemon, child, last, 1), (Actions{{kAbortStuck, child, absl::Seconds(30)}}));
    EXPECT_THAT(LookAt(daemon, child, last, 3), IsEmpty()) << "it is being killed";
    EXPECT_THAT(daemon.PassTime(absl::Seconds(1)), IsEmpty());
    EXPECT_EQ(daemon.PassTime(absl::Seconds(1)), (Actions{{kKillAborted, child}}));
    EXPECT_THAT(daemon.Die(child, Killed(SIGKILL)), IsEmpty());
    EXPECT_EQ(daemon.PassTime(), (Actions{{kStart, child}}));
  }
}

TEST(Decide, AHubThatTurnsAgainIsSaidAndLives) {
  Daemon daemon = Serving();
  const MonotonicNanos last = daemon.now;
  daemon.Do(HubSeen{0, last, daemon.now});
  LookAt(daemon, 0, last, 6);
  const MonotonicNanos again = daemon.now;
  EXPECT_EQ(LookAt(daemon, 0, again, 1), (Actions{{kSayTurnsAgain, 0, absl::Seconds(1)}}));
  EXPECT_EQ(LookAt(daemon, 0, again, 4), (Actions{{kSayStuck, 0, absl::Seconds(5)}}))
      << "from its last turn on, anew";
}

TEST(Decide, WithoutAKillTimeAStuckChildIsLeftAlone) {
  Daemon daemon = Serving();
  daemon.state.limits.stuck_kill = absl::InfiniteDuration();
  const MonotonicNanos last = daemon.now;
  daemon.Do(HubSeen{0, last, daemon.now});
  EXPECT_THAT(LookAt(daemon, 0, last, 10), ElementsAre(Action{kSayStuck, 0, absl::Seconds(5)}));
  EXPECT_THAT(LookAt(daemon, 0, last, 10'000), IsEmpty());
}

TEST(Decide, AKillTimeBelowTheStuckTimeIsTheStuckTime) {
  Daemon daemon = Serving();
  daemon.state.limits.stuck_kill = absl::Seconds(1);
  const MonotonicNanos last = daemon.now;
  daemon.Do(HubSeen{0, last, daemon.now});
  EXPECT_EQ(LookAt(daemon, 0, last, 10),
            (Actions{{kSayStuck, 0, absl::Seconds(5)}, {kAbortStuck, 0, absl::Seconds(5)}}));
}

TEST(Decide, ASupervisorThatStoodStillItselfKillsNobody) {
  Daemon daemon = Serving();
  const MonotonicNanos last = daemon.now;
  for (const int child : {0, 1, kControl}) daemon.Do(HubSeen{child, last, daemon.now});
  daemon.now += 3600 * kSecond;
  for (const int child : {0, 1, kControl}) {
    EXPECT_THAT(daemon.Do(HubSeen{child, last, daemon.now}), IsEmpty());
  }
}

TEST(Decide, ABootThatDoesNotEndIsKilledAndTriedAgain) {
  for (const int child : {0, kControl}) {
    Daemon daemon = Booting();
    // Its hub may turn: that is not what a boot is for.
    for (int second = 1; second < 60; ++second) {
      EXPECT_THAT(LookAt(daemon, child, daemon.now, 1), IsEmpty()) << second;
    }
    EXPECT_EQ(LookAt(daemon, child, daemon.now, 1),
              (Actions{{kAbortBoot, child, absl::Seconds(60)}}));
    EXPECT_THAT(daemon.Die(child, Killed(SIGABRT)), IsEmpty());
    EXPECT_EQ(daemon.PassTime(), (Actions{{kStart, child}}));
  }
}

TEST(Decide, ALongBootIsNoStandstillOfTheHub) {
  Daemon daemon = Booting();
  const MonotonicNanos started = daemon.now;
  EXPECT_THAT(LookAt(daemon, 0, started, 59), IsEmpty());
  daemon.Do(ChildReady{0, daemon.now});
  EXPECT_THAT(LookAt(daemon, 0, daemon.now, 4), IsEmpty());
}

TEST(Decide, WhoDrainsAndIsStuckIsKilledBeforeTheDrainIsOver) {
  Daemon daemon = Serving();
  daemon.state.drain_timeout = absl::Hours(1);
  daemon.Signal(SIGTERM);
  const MonotonicNanos last = daemon.now;
  daemon.Do(HubSeen{0, last, daemon.now});
  LookAt(daemon, 0, last, 5);
  EXPECT_EQ(LookAt(daemon, 0, last, 25), (Actions{{kAbortStuck, 0, absl::Seconds(30)}}));
  EXPECT_EQ(daemon.PassTime(kReportGrace), (Actions{{kKillAborted, 0}}));
}

TEST(Decide, OfAChildThatDoesNotRunNothingIsSeen) {
  Daemon daemon = Serving();
  daemon.Die(0, Killed(SIGKILL));
  EXPECT_THAT(LookAt(daemon, 0, 0, 100), IsEmpty());
}

// --- Time

TEST(Decide, StartsAllChildrenOneAtATime) {
  Daemon daemon;
  EXPECT_EQ(daemon.state.NextDue(), 0);
  EXPECT_THAT(daemon.PassTime(), ElementsAre(Action{kStart, 0}));
  daemon.Do(ChildStarted{0, 101, daemon.now});
  EXPECT_THAT(daemon.PassTime(), ElementsAre(Action{kStart, 1}));
  daemon.Do(ChildStarted{1, 102, daemon.now});
  EXPECT_THAT(daemon.PassTime(), ElementsAre(Action{kStart, kControl}));
  daemon.Do(ChildStarted{kControl, 103, daemon.now});
  EXPECT_THAT(daemon.PassTime(), IsEmpty());
  EXPECT_EQ(daemon.state.NextDue(), kNever);
}

TEST(Decide, StartsNoMoreThanSoManyInASecond) {
  Daemon daemon(config::kWorkersMax);
  EXPECT_EQ(daemon.Settle().size(), static_cast<size_t>(kForksPerSecondMax));
  EXPECT_EQ(daemon.state.NextDue(), daemon.now + kSecond);
  daemon.now += kSecond;
  EXPECT_EQ(daemon.Settle().size(), static_cast<size_t>(kForksPerSecondMax));
}

TEST(Decide, KillsWhoOverstaysTheDrainOnce) {
  Daemon daemon = Stopping();
  daemon.Die(1, Exited(0));
  EXPECT_EQ(daemon.state.NextDue(), daemon.now + 35 * kSecond);
  EXPECT_THAT(daemon.PassTime(kDrain + kKillGrace - absl::Nanoseconds(1)), IsEmpty());
  EXPECT_THAT(daemon.PassTime(absl::Nanoseconds(1)),
              ElementsAre(Action{kKillOverdue, 0}, Action{kKillOverdue, kControl}));
  EXPECT_THAT(daemon.PassTime(), IsEmpty());
  EXPECT_EQ(daemon.state.NextDue(), kNever);
}

TEST(Decide, KillsAReplacedWorkerThatOverstays) {
  Daemon daemon = Replacing();
  EXPECT_THAT(daemon.PassTime(kDrain + kKillGrace), ElementsAre(Action{kKillOverdue, 0}));
  daemon.Die(0, Killed(SIGKILL));
  EXPECT_THAT(daemon.PassTime(), ElementsAre(Action{kStart, 0}));
}

TEST(Decide, WhoeverIsToEndAtOnceLeavesNoExitCode) {
  Daemon daemon = Serving();
  daemon.Signal(SIGQUIT);
  for (const int child : {0, 1, kControl}) daemon.Die(child, Killed(SIGKILL));
  EXPECT_TRUE(daemon.state.Over());
  EXPECT_EQ(daemon.state.exit_code, process::kExitStopped);
}

TEST(Decide, IsOverOnceItStopsAndNobodyIsLeft) {
  Daemon daemon = Serving();
  for (const int child : {0, 1, kControl}) daemon.Die(child, Exited(0));
  EXPECT_FALSE(daemon.state.Over());
  daemon = Stopping();
  for (const int child : {0, 1, kControl}) {
    EXPECT_FALSE(daemon.state.Over());
    daemon.Die(child, Exited(0));
  }
  EXPECT_TRUE(daemon.state.Over());
}

TEST(Decide, ChildrenThatAreStoppedAreNotStartedAgain) {
  Daemon daemon = Stopping();
  daemon.Die(0, Exited(1));
  EXPECT_THAT(daemon.PassTime(absl::Hours(1)),
              ElementsAre(Action{kKillOverdue, 1}, Action{kKillOverdue, kControl}));
}

TEST(EndedAsTold, WantsToHaveBeenTold) {
  ChildState child;
  EXPECT_FALSE(EndedAsTold(child, Exited(0)));
  child.told_to_end = true;
  EXPECT_TRUE(EndedAsTold(child, Exited(0)));
  EXPECT_TRUE(EndedAsTold(child, Killed(SIGTERM)));
  EXPECT_FALSE(EndedAsTold(child, Exited(1)));
  EXPECT_FALSE(EndedAsTold(child, Killed(SIGKILL)));
}

}  // namespace
}  // namespace grove::supervisor
