#include "server/control/task_calls.h"

#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "server/control/driver_fixture.h"

namespace grove::control {
namespace {

// Each look at it takes so long that others run before the next.
class SlowCall final : public Call {
 public:
  explicit SlowCall(FakeClock& clock) : clock_(clock) {}

  void Finish(const absl::Status& status) override {
    how = status;
    ended.Set();
  }
  bool finished() const override {
    clock_.Advance(2 * kSliceMax);
    return ended.ready();
  }
  absl::Time deadline() const override { return absl::InfiniteFuture(); }

  Event ended;
  absl::Status how;

 private:
  FakeClock& clock_;
};

class TaskCallsTest : public DriverTest {
 protected:
  TaskCalls calls_{*hub_, driver_};
};

TEST_F(TaskCallsTest, ATaskThatEndsWhileOthersAreLookedAtIsNotWaitedFor) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const absl::StatusOr<tasks::Spawned> spawned = driver_.Spawn("", Spec());
    ASSERT_TRUE(spawned.ok() && driver_.AwaitRound().ok());
    ASSERT_EQ(sent_[0].start_size(), 1);

    v1::BatchWaitTasksRequest request;
    for (int i = 0; i < 10; ++i) request.add_names(spawned->name);
    v1::BatchWaitTasksResponse response;
    const auto call = std::make_shared<SlowCall>(clock_);
    calls_.BatchWait(call, request, response);
    Yield();
    EXPECT_FALSE(call->ended.ready());
    // Some of its names have been looked at, and none is waited for yet.
    ASSERT_EQ(driver_.ends().waits(), 0);
    const MonotonicNanos before = clock_.Now();
    End(0, sent_[0].start(0).attempt());
    ASSERT_TRUE(call->ended.Wait().ok());
    EXPECT_TRUE(call->how.ok());
    EXPECT_EQ(response.results_size(), 10);
    EXPECT_EQ(response.results(9).task().state(), v1::TASK_STATE_SUCCEEDED);
    EXPECT_LT(clock_.Now() - before, absl::ToInt64Nanoseconds(absl::Seconds(1)));
  });
}

}  // namespace
}  // namespace grove::control
