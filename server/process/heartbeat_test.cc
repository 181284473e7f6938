#include "server/process/heartbeat.h"

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::process {
namespace {

TEST(HeartbeatPeriod, HasRoomForTwoBeatsBeforeAHubIsStuck) {
  EXPECT_EQ(HeartbeatPeriod(absl::Seconds(5)), absl::Seconds(2));
  EXPECT_EQ(HeartbeatPeriod(absl::Milliseconds(100)), absl::Milliseconds(40));
}

TEST(HeartbeatPeriod, IsAtMostTwoSeconds) {
  EXPECT_EQ(HeartbeatPeriod(absl::Hours(1)), absl::Seconds(2));
}

using HeartbeatTest = HubTest;

TEST_F(HeartbeatTest, TurnsAnIdleHubUntilCancelled) {
  int turns = 0;
  hub_->set_turn_hook([&](Hub&) { ++turns; });
  Run([] {
    absl::StatusOr<FiberHandle> beating =
        Spawn("heartbeat", [] { return Heartbeat(absl::Milliseconds(100)); });
    ASSERT_TRUE(Sleep(absl::Seconds(1)).ok());
    beating->Cancel();
    EXPECT_EQ(beating->Join().code(), absl::StatusCode::kCancelled);
  });
  EXPECT_GE(turns, 25);
}

}  // namespace
}  // namespace grove::process
