// Compiled twice: as everything is, and with the moves checked (see GROVE_DCHECK).
#include "runtime/hub/fiber_state.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using enum FiberState;

constexpr FiberState kAll[] = {kRunnable, kRunning, kParked, kEnded};
constexpr std::pair<FiberState, FiberState> kLegal[] = {{kRunnable, kRunning},
                                                        {kRunning, kRunnable},
                                                        {kRunning, kParked},
                                                        {kRunning, kEnded},
                                                        {kParked, kRunnable}};

bool IsLegal(FiberState from, FiberState to) {
  return std::find(std::begin(kLegal), std::end(kLegal), std::pair(from, to)) != std::end(kLegal);
}

FiberStateMachine MachineIn(FiberState state) {
  FiberStateMachine machine;
  if (state == kRunnable) return machine;
  machine.Enter(kRunning);
  if (state != kRunning) machine.Enter(state);
  return machine;
}

TEST(FiberState, OnlyFiveMovesAreLegal) {
  for (FiberState from : kAll) {
    for (FiberState to : kAll) {
      EXPECT_EQ(MayFollow(from, to), IsLegal(from, to))
          << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}

TEST(FiberState, LegalMovesAreMade) {
  for (const auto& [from, to] : kLegal) {
    FiberStateMachine machine = MachineIn(from);
    EXPECT_EQ(machine.state(), from);
    machine.Enter(to);
    EXPECT_EQ(machine.state(), to);
  }
}

#if GROVE_DCHECKS_ARE_ON
TEST(FiberState, IllegalMovesDie) {
  GTEST_FLAG_SET(death_test_style, "fast");
  for (FiberState from : kAll) {
    for (FiberState to : kAll) {
      if (IsLegal(from, to)) continue;
      EXPECT_DEATH(MachineIn(from).Enter(to), "can't go from this state to that")
          << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}
#endif

class FiberStateTest : public HubTest {
 protected:
  static FiberState Of(const FiberHandle& fiber) { return fiber->state(); }
};

TEST_F(FiberStateTest, AFibersLifeIsMadeOfLegalMoves) {
  Run([&] {
    FiberHandle fiber = *Spawn("fiber", [&] {
      EXPECT_EQ(hub_->running()->state(), kRunning);
      Yield();
      EXPECT_TRUE(Sleep(absl::Seconds(1)).ok());
    });
    EXPECT_EQ(Of(fiber), kRunnable);
    Yield();
    EXPECT_EQ(Of(fiber), kRunnable);  // yielded
    Yield();
    EXPECT_EQ(Of(fiber), kParked);
    hub_->Unpark(*hub_->running());  // no effect on one that runs
    EXPECT_TRUE(fiber.Join().ok());
    EXPECT_EQ(Of(fiber), kEnded);
    hub_->Unpark(*fiber);  // nor on one that has ended
    fiber.Cancel();
    EXPECT_EQ(Of(fiber), kEnded);
  });
}

TEST_F(FiberStateTest, InterruptionsMoveOnlyWhatIsParked) {
  Run([&] {
    FiberHandle fiber = *Spawn("fiber", [&]() -> absl::Status {
      {
        Timeout timeout(absl::Seconds(1));
        EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(2))));
        EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(2))));  // does not park
      }
      return Sleep(absl::InfiniteDuration());
    });
    EXPECT_TRUE(Sleep(absl::Seconds(3)).ok());
    EXPECT_EQ(Of(fiber), kParked);
    fiber.Cancel();
    fiber.Cancel();
    EXPECT_EQ(Of(fiber), kRunnable);
    EXPECT_TRUE(absl::IsCancelled(fiber.Join()));
  });
}

}  // namespace
}  // namespace grove
