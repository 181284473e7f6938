#include "runtime/repeat/timed_group.h"

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);

class TimedGroupTest : public HubTest {
 protected:
  LoopingCall Ticking() {
    return LoopingCall::FixedInterval(kSecond, [this] {
      ++ticks_;
      return LoopStep::kContinue;
    });
  }
  double Elapsed() { return static_cast<double>(hub_->now() - begun_) / 1e9; }

  const MonotonicNanos begun_ = clock_.Now();
  int ticks_ = 0;
};

TEST_F(TimedGroupTest, AGracefulStopEndsTimersAndWaitsForChildren) {
  Run([this] {
    TimedGroup group;
    bool ended = false;
    ASSERT_TRUE(group.AddTimer([this] { return Ticking(); }, kSecond).ok());
    ASSERT_TRUE(group
                    .Spawn({},
                           [&ended] {
                             ended = Sleep(5 * kSecond).ok();
                             return absl::OkStatus();
                           })
                    .ok());
    EXPECT_TRUE(Sleep(2.5 * kSecond).ok());
    group.Stop();
    EXPECT_TRUE(absl::IsCancelled(group.AddTimer([this] { return Ticking(); })));
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_EQ(ticks_, 2);
    EXPECT_TRUE(ended);
    EXPECT_EQ(group.children() + group.timers(), 0u);
  });
}

TEST_F(TimedGroupTest, AStopMayCancelTheChildren) {
  Run([this] {
    TimedGroup group;
    ASSERT_TRUE(group.AddTimer([this] { return Ticking(); }).ok());
    FiberHandle child = *group.Spawn({}, [] { return Sleep(absl::Hours(1)); });
    Yield();
    group.Stop(TimedGroup::StopMode::kCancel);
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_EQ(Elapsed(), 0);
    EXPECT_TRUE(absl::IsCancelled(child.Join()));
  });
}

TEST_F(TimedGroupTest, CancelLetsThemEndWithinTheirGrace) {
  Run([this] {
    TimedGroup group;
    FiberHandle quick = *group.Spawn({}, [] { return Sleep(kSecond); });
    FiberHandle slow = *group.Spawn({}, [] { return Sleep(absl::Hours(1)); });
    EXPECT_TRUE(group.Cancel(2 * kSecond).ok());
    EXPECT_EQ(Elapsed(), 2);
    EXPECT_TRUE(quick.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(slow.Join()));
  });
}

TEST_F(TimedGroupTest, CancelReachesATimerWhoseRunGoesOn) {
  Run([] {
    TimedGroup group;
    absl::Status seen;
    ASSERT_TRUE(group
                    .AddTimer([&seen] {
                      return LoopingCall::FixedInterval(kSecond,
                                                        [&seen]() -> absl::StatusOr<LoopStep> {
                                                          seen = Sleep(absl::Hours(1));
                                                          return LoopStep::kContinue;
                                                        });
                    })
                    .ok());
    Yield();
    EXPECT_TRUE(group.Cancel(kSecond).ok());
    EXPECT_TRUE(absl::IsCancelled(seen));
  });
}

TEST_F(TimedGroupTest, AMemberThatWaitsForItsGroupLeavesItselfOut) {
  Run([this] {
    TimedGroup group;
    int waited = 0;
    ASSERT_TRUE(group.Spawn({}, [] { return Sleep(kSecond); }).ok());
    ASSERT_TRUE(group
                    .Spawn({},
                           [&] {
                             waited += group.Wait().ok();
                             return absl::OkStatus();
                           })
                    .ok());
    EXPECT_TRUE(group.Wait().ok());
    ASSERT_TRUE(group
                    .AddTimer([&] {
                      return LoopingCall::FixedInterval(kSecond, [&] {
                        waited += group.Wait().ok();
                        return LoopStep::kDone;
                      });
                    })
                    .ok());
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_EQ(waited, 2);
    EXPECT_EQ(Elapsed(), 1);
  });
}

TEST_F(TimedGroupTest, MembersThatWaitForTheirGroupDoNotWaitForEachOther) {
  Run([this] {
    TimedGroup group;
    int waited = 0;
    const auto wait = [&] {
      waited += group.Wait().ok();
      EXPECT_EQ(Elapsed(), 1);
      return absl::OkStatus();
    };
    ASSERT_TRUE(group.Spawn({}, [] { return Sleep(kSecond); }).ok());
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(group.Spawn({}, wait).ok());
    ASSERT_TRUE(group
                    .AddTimer([&] {
                      return LoopingCall::FixedInterval(kSecond, [&]() -> absl::StatusOr<LoopStep> {
                        (void)wait();
                        return LoopStep::kDone;
                      });
                    })
                    .ok());
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_EQ(waited, 3);
  });
}

TEST_F(TimedGroupTest, ATimeoutOfTheWaiterLeavesTheMembersRunning) {
  Run([this] {
    TimedGroup group;
    ASSERT_TRUE(group.AddTimer([this] { return Ticking(); }).ok());
    {
      Timeout timeout(kSecond / 2);
      EXPECT_TRUE(absl::IsDeadlineExceeded(group.Wait()));
    }
    EXPECT_EQ(group.timers(), 1u);
    EXPECT_TRUE(group.Cancel(kSecond).ok());
  });
}

TEST_F(TimedGroupTest, HasNoMoreMembersThanItsMaxAndForgetsThoseThatEnded) {
  Run([this] {
    TimedGroup group(2);
    ASSERT_TRUE(group.AddTimer([this] { return Ticking(); }).ok());
    ASSERT_TRUE(group.Spawn({}, [] { return absl::OkStatus(); }).ok());
    EXPECT_TRUE(
        absl::IsResourceExhausted(group.Spawn({}, [] { return absl::OkStatus(); }).status()));
    Yield();
    EXPECT_TRUE(group.Spawn({}, [] { return absl::OkStatus(); }).ok());
    group.StopTimers();
    EXPECT_TRUE(group.Wait().ok());
    EXPECT_TRUE(group.AddTimer([this] { return Ticking(); }).ok());
    EXPECT_TRUE(group.Cancel(kSecond).ok());
  });
}

}  // namespace
}  // namespace grove
