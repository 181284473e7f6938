#include "runtime/sync/task_count.h"

#include <memory>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using TaskCountTest = HubTest;

TEST_F(TaskCountTest, WithNothingUnfinishedJoinReturnsAtOnceAndDoneIsAnError) {
  Run([this] {
    TaskCount tasks;
    const uint64_t switches = hub_->running()->switches();
    EXPECT_TRUE(tasks.Join().ok());
    EXPECT_EQ(hub_->running()->switches(), switches);
    EXPECT_TRUE(absl::IsFailedPrecondition(tasks.Done()));
    EXPECT_EQ(tasks.unfinished(), 0u);
  });
}

TEST_F(TaskCountTest, AllJoinersWakeAtZeroThoughTheCountRisesBeforeTheyRun) {
  Run([] {
    TaskCount tasks;
    tasks.Add();
    tasks.Add();
    int joined = 0;
    FiberHandle joiners[2];
    for (FiberHandle& joiner : joiners) {
      joiner = *Spawn("joiner", [&] { joined += tasks.Join().ok(); });
    }
    Yield();
    EXPECT_TRUE(tasks.Done().ok());
    Yield();
    EXPECT_EQ(joined, 0);
    EXPECT_TRUE(tasks.Done().ok());
    tasks.Add();
    for (FiberHandle& joiner : joiners) EXPECT_TRUE(joiner.Join().ok());
    EXPECT_EQ(joined, 2);
    EXPECT_EQ(tasks.unfinished(), 1u);
  });
}

TEST_F(TaskCountTest, ATimedOutOrCancelledJoinerIsForgotten) {
  Run([] {
    TaskCount tasks;
    tasks.Add();
    auto cancelled = *Spawn("cancelled", [&] { EXPECT_TRUE(absl::IsCancelled(tasks.Join())); });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(tasks.Join()));
    }
    cancelled.Cancel();
    EXPECT_TRUE(cancelled.Join().ok());
    EXPECT_TRUE(tasks.Done().ok());  // wakes nobody
  });
}

TEST_F(TaskCountTest, DyingWhileFibersWaitIsAProgrammingError) {
  EXPECT_DEATH(Run([] {
                 auto tasks = std::make_unique<TaskCount>();
                 tasks->Add();
                 (void)Spawn("joiner", [&t = *tasks] { (void)t.Join(); });
                 Yield();
                 tasks = nullptr;
               }),
               "a TaskCount died while fibers wait");
}

}  // namespace
}  // namespace grove
