#include "runtime/tls/handshake_gate.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

// Time moves only by what the steps are said to take.
class TlsHandshakeGateTest : public ::testing::Test {
 protected:
  TlsHandshakeGateTest() {
    HubOptions options;
    options.clock = &clock_;
    options.poller = std::make_unique<FakePoller>(clock_);
    hub_ = *Hub::Create(std::move(options));
  }
  // How many of `count` steps, which take `each`, run in the turns that have any.
  std::vector<int> StepsByTurn(int count, absl::Duration each) {
    std::map<uint64_t, int> by_turn;
    RunOn(*hub_, [&] {
      std::vector<FiberHandle> fibers;
      for (int i = 0; i < count; ++i) {
        fibers.push_back(*Spawn("handshake", [&] {
          const auto step = [&] {
            clock_.Advance(each);
            ++by_turn[hub_->Stats().turns];
          };
          EXPECT_TRUE(gate_.Pass(step).ok());
        }));
      }
      for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
    });
    std::vector<int> counts;
    for (const auto& [turn, steps] : by_turn) counts.push_back(steps);
    return counts;
  }

  FakeClock clock_;
  std::unique_ptr<Hub> hub_;
  TlsHandshakeGate gate_;
};

TEST_F(TlsHandshakeGateTest, LetsOneDearStepPassInATurn) {
  EXPECT_EQ(StepsByTurn(5, absl::Milliseconds(114)), std::vector<int>(5, 1));
  EXPECT_EQ(StepsByTurn(3, kTlsHandshakeTurn), std::vector<int>(3, 1));
}

TEST_F(TlsHandshakeGateTest, LetsCheapStepsPassTogetherUpToTheTurnsShare) {
  EXPECT_EQ(StepsByTurn(10, kTlsHandshakeTurn / 4), (std::vector<int>{4, 4, 2}));
  EXPECT_EQ(StepsByTurn(100, absl::ZeroDuration()), std::vector<int>{100});
}

TEST_F(TlsHandshakeGateTest, LetsOthersRunBetweenDearSteps) {
  std::string order;
  RunOn(*hub_, [&] {
    const auto step = [&] {
      clock_.Advance(absl::Milliseconds(114));
      order += 'h';
    };
    std::vector<FiberHandle> fibers;
    for (int i = 0; i < 3; ++i) {
      fibers.push_back(*Spawn("handshake", [&] { return gate_.Pass(step); }));
    }
    fibers.push_back(*Spawn("request", [&] {
      for (int i = 0; i < 5; ++i) {
        order += 'r';
        EXPECT_TRUE(Sleep(absl::Nanoseconds(1)).ok());
      }
    }));
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(fiber.Join().ok());
  });
  EXPECT_EQ(std::count(order.begin(), order.end(), 'h'), 3);
  EXPECT_EQ(order.find("hh"), std::string::npos) << order;
}

TEST_F(TlsHandshakeGateTest, GivesUpWhenItsFiberIsCancelled) {
  RunOn(*hub_, [&] {
    EXPECT_TRUE(gate_.Pass([&] { clock_.Advance(absl::Milliseconds(114)); }).ok());
    bool ran = false;
    FiberHandle late = *Spawn("late", [&] { return gate_.Pass([&] { ran = true; }); });
    late.Cancel();
    EXPECT_TRUE(absl::IsCancelled(late.Join()));
    EXPECT_FALSE(ran);
  });
}

}  // namespace
}  // namespace grove
