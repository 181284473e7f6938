#include "runtime/hub/timeout.h"

#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

class TimeoutTest : public HubTest {
 protected:
  // Sleeps for `seconds`; whether it was interrupted by a time-out.
  static bool Late(double seconds) {
    return absl::IsDeadlineExceeded(Sleep(absl::Seconds(seconds)));
  }
  uint64_t Rings() const { return hub_->Stats().timers_fired; }
};

TEST_F(TimeoutTest, AnInfiniteOneNeverFiresAndArmsNothing) {
  Run([&] {
    Timeout never(absl::InfiniteDuration());
    EXPECT_FALSE(never.pending());
    EXPECT_EQ(hub_->Stats().timers_armed, 0u);
    EXPECT_FALSE(Late(1e6));
  });
}

TEST_F(TimeoutTest, ACancelledOneDoesNotFireAndMayBeCancelledAgain) {
  Run([] {
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(timeout.pending());
    timeout.Cancel();
    timeout.Cancel();
    EXPECT_FALSE(timeout.pending());
    EXPECT_FALSE(Late(2));
    EXPECT_FALSE(timeout.fired());
  });
}

TEST_F(TimeoutTest, CancellingOneThatFiredLetsParksThroughAgain) {
  Run([] {
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(Late(2));
    EXPECT_FALSE(timeout.pending());
    timeout.Cancel();
    EXPECT_FALSE(timeout.fired());
    EXPECT_FALSE(Late(2));
  });
}

TEST_F(TimeoutTest, CancellingOneLeavesAnOuterThatFiredInForce) {
  Run([] {
    Timeout outer(absl::Seconds(1));
    Timeout inner(absl::Seconds(1));
    EXPECT_TRUE(Late(2));
    inner.Cancel();
    EXPECT_TRUE(Late(2));
    outer.Cancel();
    EXPECT_FALSE(Late(2));
  });
}

TEST_F(TimeoutTest, ARestartedOneFiresAtItsNewDeadlineNotBefore) {
  Run([] {
    Timeout timeout(absl::Seconds(2));
    EXPECT_FALSE(Late(1));
    timeout.Restart(absl::Seconds(2));
    EXPECT_FALSE(Late(1.999));
    EXPECT_TRUE(Late(0.002));
  });
}

TEST_F(TimeoutTest, RestartingForLaterArmsNothingUntilTheTimerRingsEarly) {
  Run([&] {
    Timeout timeout(absl::Seconds(1000));
    for (int i = 0; i < 100; ++i) timeout.Restart(absl::Seconds(1000 + i));
    EXPECT_EQ(hub_->Stats().timers_armed, 1u);
    const uint64_t before = Rings();
    EXPECT_TRUE(Late(2000));
    EXPECT_EQ(Rings() - before, 2u);  // at 1000 s for nothing, at 1099 s for good
  });
}

TEST_F(TimeoutTest, RestartingForEarlierFiresEarlier) {
  Run([&] {
    Timeout timeout(absl::Hours(1));
    timeout.Restart(absl::Seconds(1));
    const MonotonicNanos start = hub_->now();
    EXPECT_TRUE(Late(10));
    EXPECT_EQ(hub_->now() - start, 1'000'000'000);
  });
}

TEST_F(TimeoutTest, OneThatFiredOrWasCancelledCanBeRestarted) {
  Run([] {
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(Late(2));
    timeout.Restart(absl::Seconds(5));
    EXPECT_TRUE(timeout.pending());
    EXPECT_FALSE(Late(4));
    EXPECT_TRUE(Late(2));
    timeout.Cancel();
    EXPECT_FALSE(Late(2));
    timeout.Restart(absl::Seconds(1));
    EXPECT_TRUE(Late(2));
  });
}

TEST_F(TimeoutTest, ItKnowsAnExpiryOfItsOwnAndTheCallerMakesAStatusOfIt) {
  Run([] {
    const absl::Status expiry = absl::DeadlineExceededError("of a scope that has gone");
    Timeout timeout(absl::Seconds(1));
    EXPECT_FALSE(timeout.Caused(expiry));  // it has not fired
    absl::Status status = Sleep(absl::Seconds(2));
    ASSERT_TRUE(timeout.Caused(status));
    EXPECT_FALSE(timeout.Caused(absl::NotFoundError("no")));
    EXPECT_FALSE(timeout.Caused(absl::OkStatus()));
    if (timeout.Caused(status)) status = absl::UnavailableError("the backend is slow");
    EXPECT_EQ(status, absl::UnavailableError("the backend is slow"));
    timeout.Cancel();
    EXPECT_FALSE(timeout.Caused(expiry));
  });
}

TEST_F(TimeoutTest, OfNestedOnesTheOuterThatFiredHasCausedIt) {
  Run([] {
    Timeout outer(absl::Seconds(1));
    Timeout inner(absl::Seconds(1));
    Timeout later(absl::Seconds(60));
    const absl::Status status = Sleep(absl::Seconds(2));
    EXPECT_TRUE(inner.fired());
    EXPECT_TRUE(outer.Caused(status));
    EXPECT_FALSE(inner.Caused(status));
    EXPECT_FALSE(later.Caused(status));
  });
}

TEST_F(TimeoutTest, SilenceMakesItsOwnExpiryOkAndPassesTheRestOn) {
  Run([] {
    Timeout timeout(absl::Seconds(1));
    const absl::Status expired = Sleep(absl::Seconds(2));
    EXPECT_TRUE(absl::IsDeadlineExceeded(expired));
    EXPECT_TRUE(timeout.Silence(expired).ok());
    EXPECT_TRUE(absl::IsNotFound(timeout.Silence(absl::NotFoundError("no"))));
    timeout.Cancel();
    EXPECT_TRUE(absl::IsDeadlineExceeded(timeout.Silence(expired)));
  });
}

TEST_F(TimeoutTest, ASilentOneSwallowsItsOwnExpiryOnly) {
  Run([] {
    const auto late = [] { return Sleep(absl::Seconds(10)); };
    EXPECT_TRUE(WithSilentTimeout(absl::Seconds(1), late).ok());
    Timeout outer(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(WithSilentTimeout(absl::Seconds(5), late)));
    EXPECT_TRUE(outer.fired());
  });
}

TEST_F(TimeoutTest, ASilentOneDoesNotSwallowThatOfAScopeInsideIt) {
  Run([] {
    const absl::Status status = WithSilentTimeout(absl::Seconds(5), [] {
      return WithTimeout(absl::Seconds(1), [] { return Sleep(absl::Seconds(10)); });
    });
    EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  });
}

TEST_F(TimeoutTest, ASilentOneLetsOtherErrorsAndAnOuterOfTheSameMomentThrough) {
  Run([] {
    const auto failing = [] {
      (void)Sleep(absl::Seconds(2));
      return absl::NotFoundError("no");
    };
    EXPECT_TRUE(absl::IsNotFound(WithSilentTimeout(absl::Seconds(1), failing)));
    Timeout outer(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(
        WithSilentTimeout(absl::Seconds(1), [] { return Sleep(absl::Seconds(10)); })));
  });
}

TEST_F(TimeoutTest, WithAFallbackItIsReturnedInPlaceOfTheExpiry) {
  Run([] {
    const auto after = [](double seconds) {
      return [seconds]() -> absl::StatusOr<std::string> {
        if (absl::Status slept = Sleep(absl::Seconds(seconds)); !slept.ok()) return slept;
        return "in time";
      };
    };
    EXPECT_EQ(*WithTimeout(absl::Seconds(2), after(1), "late"), "in time");
    EXPECT_EQ(*WithTimeout(absl::Seconds(2), after(3), "late"), "late");
    EXPECT_TRUE(absl::IsDeadlineExceeded(WithTimeout(absl::Seconds(2), after(3)).status()));
    Timeout outer(absl::Seconds(1));
    EXPECT_FALSE(WithTimeout(absl::Seconds(2), after(3), "late").ok());
  });
}

TEST_F(TimeoutTest, ItsScopeEndsWithoutATimerLeftWhateverItsState) {
  Run([&] {
    {
      Timeout cancelled(absl::Hours(1));
      Timeout moved(absl::Hours(1));
      cancelled.Cancel();
      moved.Restart(absl::Hours(2));
    }
    EXPECT_EQ(hub_->Stats().timers_armed, 0u);
  });
}

}  // namespace
}  // namespace grove
