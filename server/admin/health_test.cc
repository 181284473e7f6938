#include "server/admin/health.h"

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace grove::admin {
namespace {

constexpr int64_t kNow = 100'000'000'000;

class HealthTest : public testing::Test {
 protected:
  void SetWorker(int worker, metrics::SlotState state, absl::Duration turn_age) {
    board_.slot(worker).state = state;
    board_.slot(worker).last_turn_ns = kNow - absl::ToInt64Nanoseconds(turn_age);
  }

  metrics::Scoreboard board_ = *metrics::Scoreboard::Create(2);
};

TEST_F(HealthTest, LiveWhileOneReadyHubTurns) {
  SetWorker(0, metrics::SlotState::kReady, absl::Seconds(60));
  SetWorker(1, metrics::SlotState::kReady, absl::Seconds(1));
  EXPECT_TRUE(CheckLive(board_, kNow).status.ok());
}

TEST_F(HealthTest, NotLiveWhenAllReadyHubsAreStuck) {
  SetWorker(0, metrics::SlotState::kReady, metrics::kStuckDefault);
  SetWorker(1, metrics::SlotState::kDown, absl::Seconds(99));
  EXPECT_TRUE(CheckLive(board_, kNow).status.ok());
  SetWorker(0, metrics::SlotState::kReady, metrics::kStuckDefault + absl::Nanoseconds(1));
  const absl::Status status = CheckLive(board_, kNow).status;
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "worker 0"));
  EXPECT_FALSE(absl::StrContains(status.message(), "worker 1"));
}

TEST_F(HealthTest, LiveWhileNoWorkerIsReadyYet) {
  SetWorker(0, metrics::SlotState::kStarting, absl::Seconds(60));
  EXPECT_TRUE(CheckLive(board_, kNow).status.ok());
}

TEST_F(HealthTest, ReadyNeedsAReadyAndLinkedWorker) {
  SetWorker(0, metrics::SlotState::kReady, absl::ZeroDuration());
  SetWorker(1, metrics::SlotState::kDown, absl::ZeroDuration());
  EXPECT_TRUE(CheckReady(board_, {.serving = true, .linked = {true, false}}).status.ok());
  EXPECT_EQ(CheckReady(board_, {.serving = true, .linked = {false, true}}).status.message(),
            "no worker can serve\nworker 0: not linked to control\nworker 1: down");
  SetWorker(0, metrics::SlotState::kDraining, absl::ZeroDuration());
  SetWorker(1, metrics::SlotState::kStarting, absl::ZeroDuration());
  EXPECT_EQ(CheckReady(board_, {.serving = true, .linked = {true, true}}).status.message(),
            "no worker can serve\nworker 0: draining\nworker 1: starting");
}

TEST_F(HealthTest, ASlotThatWasScaledAwayIsNoWorker) {
  SetWorker(0, metrics::SlotState::kReady, absl::ZeroDuration());
  EXPECT_EQ(CheckReady(board_, {.serving = true, .linked = {false, false}}).status.message(),
            "no worker can serve\nworker 0: not linked to control");
}

TEST_F(HealthTest, AStuckWorkerDoesNotCount) {
  SetWorker(0, metrics::SlotState::kReady, absl::Seconds(12));
  SetWorker(1, metrics::SlotState::kReady, absl::Seconds(1));
  ReadinessInput input{.serving = true, .linked = {true, true}, .now = kNow};
  EXPECT_TRUE(CheckReady(board_, input).status.ok());
  input.linked = {true, false};
  EXPECT_EQ(CheckReady(board_, input).status.message(),
            "no worker can serve\nworker 0: stuck: its hub has not turned for 12 s\n"
            "worker 1: not linked to control");
}

TEST_F(HealthTest, AStandInServesForTheWorkersThatDoNot) {
  SetWorker(0, metrics::SlotState::kDraining, absl::ZeroDuration());
  SetWorker(1, metrics::SlotState::kReady, absl::Seconds(60));
  SetWorker(metrics::Scoreboard::kStandIn, metrics::SlotState::kReady, absl::ZeroDuration());
  EXPECT_TRUE(CheckReady(board_, {.serving = true, .now = kNow}).status.ok());
  EXPECT_TRUE(CheckLive(board_, kNow).status.ok());
  SetWorker(metrics::Scoreboard::kStandIn, metrics::SlotState::kReady, absl::Seconds(60));
  EXPECT_FALSE(CheckReady(board_, {.serving = true, .now = kNow}).status.ok());
  EXPECT_FALSE(CheckLive(board_, kNow).status.ok());
}

TEST_F(HealthTest, NotReadyWhileTheStoreFails) {
  SetWorker(0, metrics::SlotState::kReady, absl::ZeroDuration());
  const ReadinessInput input{
      .serving = true, .store_failure = "database or disk is full", .linked = {true}};
  EXPECT_EQ(CheckReady(board_, input).status.message(),
            "the task store fails: database or disk is full");
}

TEST_F(HealthTest, NotReadyBeforeServingNorWhileDraining) {
  SetWorker(0, metrics::SlotState::kReady, absl::ZeroDuration());
  EXPECT_EQ(CheckReady(board_, {.serving = false, .linked = {true}}).status.message(), "starting");
  EXPECT_EQ(
      CheckReady(board_, {.serving = true, .draining = true, .linked = {true}}).status.message(),
      "draining");
}

TEST_F(HealthTest, AWorkerThatKeepsDyingSaysSo) {
  SetWorker(0, metrics::SlotState::kReady, absl::ZeroDuration());
  SetWorker(1, metrics::SlotState::kDown, absl::ZeroDuration());
  metrics::WorkerSlot& slot = board_.slot(1);
  slot.exits.Count(metrics::ExitReason::kBootFailure, "boot_failure: exit code 1", 1);
  const auto state = [&] {
    const ReadinessInput input{.serving = true, .linked = {true, true}, .now = kNow};
    return CheckReady(board_, input).checks.back().state;
  };
  slot.quick_deaths = 1;
  EXPECT_EQ(state(), "down");
  slot.quick_deaths = 5;
  slot.due_ns = kNow + 3'249'000'000;
  EXPECT_EQ(state(), "down: restarts in 3.2 s, died 5 times in a row (boot_failure: exit code 1)");
  slot.due_ns = kNow - 1;
  EXPECT_EQ(state(), "down: died 5 times in a row (boot_failure: exit code 1)");
  slot.quick_deaths = 0;
  slot.due_ns = kNow + 100'000'000;
  EXPECT_EQ(state(), "down: restarts in 0.1 s") << "it could not be started";
  slot.quick_deaths = 5;
  slot.due_ns = 0;
  slot.state = metrics::SlotState::kStarting;
  EXPECT_EQ(state(), "starting: died 5 times in a row (boot_failure: exit code 1)");
  slot.quick_deaths = 0;
  EXPECT_EQ(state(), "starting");
}

// "+worker-0 ready".
std::vector<std::string> Texts(const Health& health) {
  std::vector<std::string> texts;
  for (const HealthCheck& check : health.checks) {
    texts.push_back((check.good ? "+" : "-") + check.name + " " + check.state);
  }
  return texts;
}

TEST_F(HealthTest, EachCheckIsToldWhateverTheOutcome) {
  SetWorker(0, metrics::SlotState::kReady, absl::Seconds(12));
  SetWorker(1, metrics::SlotState::kReady, absl::Seconds(1));
  const ReadinessInput input{.serving = true, .linked = {true, true}, .now = kNow};
  const Health ready = CheckReady(board_, input);
  EXPECT_TRUE(ready.status.ok());
  EXPECT_EQ(Texts(ready),
            (std::vector<std::string>{"+control serving", "+store ok",
                                      "-worker-0 stuck: its hub has not turned for 12 s",
                                      "+worker-1 ready"}));
  SetWorker(1, metrics::SlotState::kStarting, absl::ZeroDuration());
  const Health live = CheckLive(board_, kNow);
  EXPECT_FALSE(live.status.ok());
  EXPECT_EQ(Texts(live),
            (std::vector<std::string>{"-worker-0 stuck: its hub has not turned for 12 s",
                                      "+worker-1 starting"}));
}

}  // namespace
}  // namespace grove::admin
