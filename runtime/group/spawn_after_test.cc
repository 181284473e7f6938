#include "runtime/group/spawn_after.h"

#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using SpawnAfterTest = HubTest;

TEST_F(SpawnAfterTest, StartsAfterTheDelayAndNotBefore) {
  Run([this] {
    const MonotonicNanos called = hub_->now();
    MonotonicNanos started = 0;
    auto delayed = *SpawnAfter(absl::Seconds(3), {}, [&] {
      started = hub_->now();
      return absl::NotFoundError("the body's status");
    });
    EXPECT_FALSE(delayed.started());
    EXPECT_EQ(delayed.Join(), absl::NotFoundError("the body's status"));
    EXPECT_EQ(started - called, 3'000'000'000);
  });
}

TEST_F(SpawnAfterTest, CancelledBeforeItsStartTheBodyNeverRuns) {
  Run([] {
    bool ran = false;
    auto delayed = *SpawnAfter(absl::Seconds(3), {}, [&] {
      ran = true;
      return absl::OkStatus();
    });
    (void)Sleep(absl::Seconds(1));
    EXPECT_TRUE(delayed.CancelBeforeStart());
    EXPECT_TRUE(absl::IsCancelled(delayed.Join()));
    EXPECT_FALSE(ran);
  });
}

TEST_F(SpawnAfterTest, CancelledInTheTurnOfItsStartTheBodyNeverRuns) {
  Run([] {
    bool ran = false;
    std::vector<DelayedFiber> delayed;
    // Armed first, it wakes first; by then the other one's alarm has rung as well.
    auto first = *SpawnAfter(absl::Seconds(1), {}, [&] {
      EXPECT_TRUE(delayed[0].CancelBeforeStart());
      return absl::OkStatus();
    });
    delayed.push_back(*SpawnAfter(absl::Seconds(1), {}, [&] {
      ran = true;
      return absl::OkStatus();
    }));
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(absl::IsCancelled(delayed[0].Join()));
    EXPECT_FALSE(ran);
  });
}

TEST_F(SpawnAfterTest, CancelBeforeStartLeavesAStartedBodyAlone) {
  Run([] {
    auto delayed = *SpawnAfter(absl::ZeroDuration(), {}, [] { return Sleep(absl::Seconds(1)); });
    Yield();
    EXPECT_TRUE(delayed.started());
    EXPECT_FALSE(delayed.CancelBeforeStart());
    EXPECT_TRUE(delayed.Join().ok());
  });
}

TEST_F(SpawnAfterTest, TheLocalFormDoesNotOutliveItsSpawner) {
  Run([this] {
    bool ran = false;
    auto spawner = *Spawn("spawner", [&] {
      auto delayed = SpawnAfterLocal(absl::Seconds(3), {}, [&] {
        ran = true;
        return absl::OkStatus();
      });
      (void)Sleep(absl::Seconds(1));
    });
    EXPECT_TRUE(spawner.Join().ok());
    Yield();
    EXPECT_EQ(hub_->Stats().timers_armed, 0u);
    (void)Sleep(absl::Seconds(5));
    EXPECT_FALSE(ran);
  });
}

TEST_F(SpawnAfterTest, TheLocalFormEndsWithItsScopeAlsoOnceStarted) {
  Run([] {
    absl::Status slept;
    {
      auto delayed =
          *SpawnAfterLocal(absl::Seconds(1), {}, [&] { return slept = Sleep(absl::Hours(1)); });
      (void)Sleep(absl::Seconds(2));
      EXPECT_TRUE(delayed->started());
    }
    Yield();
    EXPECT_TRUE(absl::IsCancelled(slept));
  });
}

TEST_F(SpawnAfterTest, TheLocalFormRunsWhileItsScopeLasts) {
  Run([] {
    auto delayed = *SpawnAfterLocal(absl::Seconds(1), {}, [] { return absl::OkStatus(); });
    EXPECT_TRUE(delayed->Join().ok());
  });
}

}  // namespace
}  // namespace grove
