#include "runtime/group/fiber_group.h"

#include <stdexcept>
#include <string_view>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using FiberGroupTest = HubTest;
using FiberGroupDeathTest = HubTest;
using OnFailure = FiberGroup::OnFailure;

TEST_F(FiberGroupTest, JoinWaitsForAllChildrenAndTheirChildren) {
  Run([] {
    int ended = 0;
    FiberGroup group;
    (void)group.Spawn("parent", [&] {
      (void)Sleep(absl::Seconds(1));
      (void)group.Spawn("grandchild", [&] {
        (void)Sleep(absl::Seconds(5));
        ++ended;
      });
      ++ended;
    });
    EXPECT_TRUE(group.Join().ok());
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(group.running(), 0u);
  });
}

TEST_F(FiberGroupTest, JoinReturnsTheFirstFailureInTimeAndLetsTheRestRun) {
  Run([] {
    FiberGroup group;
    bool rest_ran = false;
    (void)group.Spawn("later", [] {
      (void)Sleep(absl::Seconds(2));
      return absl::InternalError("later");
    });
    (void)group.Spawn("first", [] {
      (void)Sleep(absl::Seconds(1));
      return absl::NotFoundError("first");
    });
    (void)group.Spawn("rest", [&] { rest_ran = Sleep(absl::Seconds(3)).ok(); });
    EXPECT_EQ(group.Join(), absl::NotFoundError("first"));
    EXPECT_TRUE(rest_ran);
  });
}

TEST_F(FiberGroupTest, TheFirstFailureCancelsTheRestIfAsked) {
  Run([this] {
    const MonotonicNanos start = hub_->now();
    FiberGroup group(OnFailure::kCancelRest);
    bool cancelled = false;
    (void)group.Spawn("rest", [&] { cancelled = absl::IsCancelled(Sleep(absl::Hours(1))); });
    (void)group.Spawn("failing", [] { return absl::NotFoundError("first"); });
    EXPECT_EQ(group.Join(), absl::NotFoundError("first"));
    EXPECT_TRUE(cancelled);
    EXPECT_EQ(hub_->now(), start);
    EXPECT_TRUE(absl::IsCancelled(group.Spawn("late", [] {}).status()));
  });
}

TEST_F(FiberGroupTest, AnExceptionIsAFailureAndDelivered) {
  Run([] {
    FiberGroup group(OnFailure::kCancelRest);
    (void)group.Spawn("rest", [] { (void)Sleep(absl::Hours(1)); });
    (void)group.Spawn("throwing", [] { throw std::runtime_error("broken"); });
    const absl::Status status = group.Join();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
    EXPECT_NE(status.message().find("broken"), std::string_view::npos);
    EXPECT_THROW((void)group.JoinOrThrow(), std::runtime_error);
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 0u);
}

TEST_F(FiberGroupTest, ACancelledScopeCancelsItsChildrenAndStillWaitsForThem) {
  Run([] {
    bool child_ended = false;
    bool ended_before_scope = false;
    auto scope = *Spawn("scope", [&]() -> absl::Status {
      FiberGroup group;
      (void)group.Spawn("child", [&] {
        EXPECT_TRUE(absl::IsCancelled(Sleep(absl::Hours(1))));
        for (int i = 0; i < 3; ++i) Yield();  // it takes its time to clean up
        child_ended = true;
      });
      absl::Status status = group.Join();
      ended_before_scope = child_ended;
      return status;
    });
    Yield();
    scope.Cancel();
    EXPECT_TRUE(absl::IsCancelled(scope.Join()));
    EXPECT_TRUE(ended_before_scope);
  });
}

TEST_F(FiberGroupTest, ATimedOutJoinCancelsAndWaitsToo) {
  Run([] {
    FiberGroup group;
    bool child_ended = false;
    (void)group.Spawn("child", [&] {
      (void)Sleep(absl::Hours(1));
      Yield();
      child_ended = true;
    });
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(group.Join()));
    EXPECT_TRUE(child_ended);
  });
}

TEST_F(FiberGroupTest, CancelReachesChildrenThatHaveNotStarted) {
  Run([] {
    FiberGroup group;
    bool ran = false;
    (void)group.Spawn("child", [&] { ran = true; });
    group.Cancel();
    EXPECT_TRUE(absl::IsCancelled(group.Join()));
    EXPECT_FALSE(ran);
  });
}

TEST_F(FiberGroupTest, AChildCantJoinItsGroup) {
  Run([] {
    FiberGroup group;
    (void)group.Spawn("child", [&] { EXPECT_TRUE(absl::IsFailedPrecondition(group.Join())); });
    EXPECT_TRUE(group.Join().ok());
  });
}

TEST_F(FiberGroupTest, RunJoinsAlsoWhenTheScopeThrows) {
  Run([] {
    bool child_ended = false;
    EXPECT_THROW((void)FiberGroup::Run(OnFailure::kCancelRest,
                                       [&](FiberGroup& group) -> absl::Status {
                                         (void)group.Spawn("child", [&] {
                                           (void)Sleep(absl::Hours(1));
                                           child_ended = true;
                                         });
                                         Yield();
                                         throw std::runtime_error("scope");
                                       }),
                 std::runtime_error);
    EXPECT_TRUE(child_ended);
  });
}

TEST_F(FiberGroupDeathTest, DyingWithChildrenIsAProgrammingError) {
  EXPECT_DEATH(Run([] {
                 FiberGroup group;
                 (void)group.Spawn("child", [] {});
               }),
               "Join\\(\\) it first");
}

}  // namespace
}  // namespace grove
