// FiberHandle::AwaitEnd(): a wait that nothing but the end of the fiber ends.
#include <gmock/gmock.h>

#include <stdexcept>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

class AwaitEndTest : public HubTest {
 protected:
  static FiberHandle Sleeper(absl::Duration sleeps) {
    return *Spawn("sleeper", [sleeps] { return Sleep(sleeps); });
  }
};

TEST_F(AwaitEndTest, ReturnsWhenTheFiberHasEnded) {
  Run([&] {
    FiberHandle sleeper = Sleeper(absl::Seconds(3));
    const MonotonicNanos begun = hub_->now();
    sleeper.AwaitEnd();
    EXPECT_TRUE(sleeper.ended());
    EXPECT_EQ(hub_->now() - begun, 3'000'000'000);
  });
}

TEST_F(AwaitEndTest, DoesNotParkForOneThatHasEnded) {
  Run([&] {
    FiberHandle sleeper = Sleeper(absl::ZeroDuration());
    EXPECT_TRUE(sleeper.Join().ok());
    const uint64_t switches = hub_->running()->switches();
    sleeper.AwaitEnd();
    EXPECT_EQ(hub_->running()->switches(), switches);
  });
}

TEST_F(AwaitEndTest, ACancelledWaiterStillWaits) {
  Run([&] {
    FiberHandle sleeper = Sleeper(absl::Seconds(3));
    bool ended_before_return = false;
    FiberHandle before = *Spawn("cancelled before", [&] {
      hub_->running()->Cancel();
      sleeper.AwaitEnd();
      ended_before_return = sleeper.ended();
    });
    FiberHandle meanwhile = *Spawn("cancelled meanwhile", [&] {
      sleeper.AwaitEnd();
      EXPECT_TRUE(sleeper.ended());
      EXPECT_EQ(hub_->interruption(), Wake::kCancelled);  // and hears of it at its next park
    });
    EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
    meanwhile.Cancel();
    EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
    EXPECT_FALSE(before.ended());
    EXPECT_FALSE(meanwhile.ended());
    EXPECT_TRUE(before.Join().ok());
    EXPECT_TRUE(meanwhile.Join().ok());
    EXPECT_TRUE(ended_before_return);
  });
}

TEST_F(AwaitEndTest, ATimeoutInScopeDoesNotEndIt) {
  Run([&] {
    FiberHandle sleeper = Sleeper(absl::Seconds(3));
    Timeout timeout(absl::Seconds(1));
    sleeper.AwaitEnd();
    EXPECT_TRUE(sleeper.ended());
    EXPECT_TRUE(timeout.fired());
    EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(1))));
  });
}

TEST_F(AwaitEndTest, AStrayUnparkDoesNotEndIt) {
  Run([&] {
    FiberHandle sleeper = Sleeper(absl::Seconds(3));
    FiberHandle waiter = *Spawn("waiter", [&] {
      sleeper.AwaitEnd();
      EXPECT_TRUE(sleeper.ended());
    });
    Yield();
    hub_->Unpark(*waiter);
    Yield();
    EXPECT_FALSE(waiter.ended());
    EXPECT_TRUE(waiter.Join().ok());
  });
}

TEST_F(AwaitEndTest, IsNoJoin) {
  testing::internal::CaptureStderr();
  Run([&] {
    FiberHandle thrower = *Spawn("thrower", [] { throw std::runtime_error("unheard"); });
    thrower.AwaitEnd();
    EXPECT_TRUE(thrower.ended());
  });
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("nobody joined it"));
}

TEST_F(AwaitEndTest, WaitingForItselfDies) {
  EXPECT_DEATH(Run([&] { FiberHandle(hub_->running()).AwaitEnd(); }), "its own end");
}

}  // namespace
}  // namespace grove
