#include "runtime/group/spawn_value.h"

#include <memory>
#include <stdexcept>
#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using SpawnValueTest = HubTest;

TEST_F(SpawnValueTest, ManyJoinAlsoAfterTheEnd) {
  Run([] {
    auto handle = *SpawnValue("value", [] {
      (void)Sleep(absl::Seconds(1));
      return std::string("the value");
    });
    int joined = 0;
    for (int i = 0; i < 3; ++i) {
      (void)Spawn("joiner",
                  [&joined, handle]() mutable { joined += *handle.Join() == "the value"; });
    }
    EXPECT_EQ(*handle.Join(), "the value");
    Yield();
    EXPECT_EQ(joined, 3);
    EXPECT_EQ(*handle.Join(), "the value");
  });
}

TEST_F(SpawnValueTest, TheBodysFailureIsTheResult) {
  Run([] {
    auto handle = *SpawnValue(
        "value", []() -> absl::StatusOr<int> { return absl::NotFoundError("nothing"); });
    EXPECT_EQ(handle.Join().status(), absl::NotFoundError("nothing"));
  });
}

TEST_F(SpawnValueTest, AnExceptionIsDeliveredToTheJoiner) {
  Run([] {
    auto handle = *SpawnValue("value", []() -> int { throw std::runtime_error("broken"); });
    EXPECT_EQ(handle.Join().status().code(), absl::StatusCode::kUnknown);
    EXPECT_THROW((void)handle.JoinOrThrow(), std::runtime_error);
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 0u);
}

TEST_F(SpawnValueTest, CancelledBeforeItsStartItNeverRuns) {
  Run([] {
    bool ran = false;
    auto handle = *SpawnValue("value", [&] { return ran = true; });
    handle.Cancel();
    EXPECT_TRUE(absl::IsCancelled(handle.Join().status()));
    EXPECT_FALSE(ran);
  });
}

TEST_F(SpawnValueTest, AJoinersTimeoutLeavesItRunning) {
  Run([] {
    auto handle = *SpawnValue("value", [] {
      (void)Sleep(absl::Seconds(2));
      return 7;
    });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(handle.Join().status()));
      EXPECT_FALSE(handle.ended());
    }
    EXPECT_EQ(*handle.Join(), 7);
  });
}

TEST_F(SpawnValueTest, TakeMovesTheValueOutOnce) {
  Run([] {
    auto handle = *SpawnValue("value", [] { return std::make_unique<int>(5); });
    EXPECT_EQ(**handle.Take(), 5);
    EXPECT_TRUE(absl::IsFailedPrecondition(handle.Take().status()));
  });
}

}  // namespace
}  // namespace grove
