#include "runtime/repeat/looping_call.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);

class LoopingCallTest : public HubTest {
 protected:
  // Seconds since the test began.
  double Seconds() { return static_cast<double>(clock_.Now() - begun_) / 1e9; }
  // Notes when it runs; done after `runs`.
  LoopingCall::Body Noting(size_t runs) {
    return [this, runs] {
      at_.push_back(Seconds());
      return at_.size() == runs ? LoopStep::kDone : LoopStep::kContinue;
    };
  }

  const MonotonicNanos begun_ = clock_.Now();
  std::vector<double> at_;
};

TEST_F(LoopingCallTest, RunsAtFixedBeatsFromItsInitialDelayOn) {
  Run([this] {
    auto loop = LoopingCall::FixedInterval(10 * kSecond, Noting(3));
    EXPECT_TRUE(loop.Start(5 * kSecond).ok());
    EXPECT_TRUE(loop.Wait().ok());
    EXPECT_FALSE(loop.running());
  });
  EXPECT_EQ(at_, (std::vector<double>{5, 15, 25}));
}

TEST_F(LoopingCallTest, ABodyThatTakesTimeDoesNotMoveTheBeats) {
  Run([this] {
    auto loop = LoopingCall::FixedInterval(10 * kSecond, [this] {
      at_.push_back(Seconds());
      (void)Sleep(3 * kSecond);
      clock_.Advance(3 * kSecond);  // computes, without a turn of the hub
      return at_.size() == 3 ? LoopStep::kDone : LoopStep::kContinue;
    });
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());
    EXPECT_EQ(loop.counts().overruns, 0u);
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 10, 20}));
}

TEST_F(LoopingCallTest, AnOverrunIsReportedAndSkipsTheMissedBeats) {
  std::vector<absl::Duration> reported;
  Run([&] {
    LoopOptions options;
    options.report_overrun = [&](absl::Duration by, int64_t skipped) {
      reported.push_back(by);
      EXPECT_EQ(skipped, 2);
    };
    auto loop = LoopingCall::FixedInterval(
        10 * kSecond,
        [this] {
          at_.push_back(Seconds());
          if (at_.size() == 1) (void)Sleep(25 * kSecond);
          return at_.size() == 3 ? LoopStep::kDone : LoopStep::kContinue;
        },
        options);
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());
    EXPECT_EQ(loop.counts().overruns, 1u);
    EXPECT_EQ(loop.counts().skipped, 2u);
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 30, 40}));
  EXPECT_EQ(reported, (std::vector<absl::Duration>{15 * kSecond}));
}

TEST_F(LoopingCallTest, AnOverrunThatNobodyIsToldOfIsLogged) {
  testing::internal::CaptureStderr();
  Run([] {
    int runs = 0;
    auto loop =
        LoopingCall::FixedInterval(kSecond,
                                   [&runs] {
                                     if (++runs == 1) (void)Sleep(2.5 * kSecond);
                                     return runs == 1 ? LoopStep::kContinue : LoopStep::kDone;
                                   },
                                   {.name = "sweep"});
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());
  });
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      "grove: a run of looping call \"sweep\" outlasted its interval by 1.5s: 2 beats skipped\n");
}

TEST_F(LoopingCallTest, AFixedIntervalEndsAtItsTotalTimeoutToo) {
  Run([this] {
    auto loop =
        LoopingCall::FixedInterval(10 * kSecond, Noting(100), {.total_timeout = 25 * kSecond});
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(absl::IsDeadlineExceeded(loop.Wait()));
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 10, 20}));
}

TEST_F(LoopingCallTest, ALoopThatIsAlwaysLateLetsTheOthersRun) {
  Run([this] {
    auto loop = LoopingCall::FixedInterval(kSecond, [this] {
      clock_.Advance(kSecond);  // exactly its interval: never idle
      return LoopStep::kContinue;
    });
    EXPECT_TRUE(loop.Start().ok());
    (void)Sleep(5 * kSecond);
    loop.Stop();
    EXPECT_TRUE(loop.Wait().ok());
    EXPECT_GE(loop.counts().runs, 4u);
  });
}

TEST_F(LoopingCallTest, IdlesAsLongAsTheBodySaysUpToTheMost) {
  Run([this] {
    auto loop = LoopingCall::DynamicInterval(
        10 * kSecond, [this]() -> absl::StatusOr<std::optional<absl::Duration>> {
          at_.push_back(Seconds());
          if (at_.size() == 4) return std::nullopt;
          return at_.size() == 3 ? absl::Hours(1) : static_cast<int>(at_.size()) * kSecond;
        });
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 1, 3, 13}));
}

TEST_F(LoopingCallTest, BacksOffUntilSuccessAndStartsAgainAfterProgress) {
  Run([this] {
    auto loop =
        LoopingCall::Backoff({.first = kSecond, .growth = 2, .jitter = 0}, SeededRandom(1), [this] {
          at_.push_back(Seconds());
          if (at_.size() == 3) return LoopStep::kReset;
          return at_.size() == 6 ? LoopStep::kDone : LoopStep::kContinue;
        });
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 1, 3, 4, 6, 10}));
}

TEST_F(LoopingCallTest, ABackOffWaitsForNoRunBeyondItsTotalTimeout) {
  Run([this] {
    auto loop = LoopingCall::Backoff({.first = kSecond, .growth = 2, .jitter = 0}, SeededRandom(1),
                                     Noting(100), {.total_timeout = 7 * kSecond});
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(absl::IsDeadlineExceeded(loop.Wait()));
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 1, 3, 7}));
  EXPECT_EQ(Seconds(), 7);
}

TEST_F(LoopingCallTest, JitterComesFromTheInjectedNumbers) {
  Run([this] {
    auto loop = LoopingCall::Backoff(
        {.first = 4 * kSecond, .growth = 1, .jitter = 0.5}, [] { return 0.0; }, Noting(3));
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 2, 4}));
}

TEST_F(LoopingCallTest, AFailureEndsItAndGoesToWhoWaits) {
  Run([] {
    auto fails = LoopingCall::FixedInterval(
        kSecond, []() -> absl::StatusOr<LoopStep> { return absl::NotFoundError("gone"); });
    auto throws = LoopingCall::FixedInterval(
        kSecond, []() -> absl::StatusOr<LoopStep> { throw std::runtime_error("thrown"); });
    EXPECT_TRUE(fails.Start().ok());
    EXPECT_TRUE(throws.Start().ok());
    EXPECT_TRUE(absl::IsNotFound(fails.Wait()));
    EXPECT_EQ(throws.Wait().code(), absl::StatusCode::kUnknown);
    EXPECT_EQ(throws.counts().runs, 1u);
  });
}

TEST_F(LoopingCallTest, AReportedFailureLetsItGoOn) {
  std::vector<std::string> reports;
  Run([&] {
    LoopOptions options;
    options.failure = LoopOptions::Failure::kIsReported;
    options.report_failure = [&](const absl::Status& s) { reports.emplace_back(s.message()); };
    int run = 0;
    auto loop = LoopingCall::FixedInterval(
        kSecond,
        [&run]() -> absl::StatusOr<LoopStep> {
          if (++run == 1) throw std::runtime_error("thrown");
          if (run == 2) return absl::NotFoundError("gone");
          return LoopStep::kDone;
        },
        options);
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());
    EXPECT_EQ(loop.counts().failures, 2u);
  });
  EXPECT_EQ(reports, (std::vector<std::string>{"exception in \"looping call\": thrown", "gone"}));
  EXPECT_EQ(Seconds(), 2);
}

TEST_F(LoopingCallTest, StopWakesItFromItsIdleTimeAndItStartsAgain) {
  Run([this] {
    auto loop = LoopingCall::FixedInterval(absl::Hours(1), Noting(9));
    for (uint64_t round = 1; round <= 2; ++round) {
      EXPECT_TRUE(loop.Start().ok());
      EXPECT_TRUE(absl::IsFailedPrecondition(loop.Start()));
      (void)Sleep(kSecond);
      loop.Stop();
      EXPECT_TRUE(loop.Wait().ok());
      EXPECT_EQ(loop.counts().runs, 1u);
    }
  });
  EXPECT_EQ(at_, (std::vector<double>{0, 1}));
}

TEST_F(LoopingCallTest, StopLetsTheRunUnderWayEnd) {
  bool ended = false;
  Run([&] {
    auto loop = LoopingCall::FixedInterval(kSecond, [&ended] {
      (void)Sleep(10 * kSecond);
      ended = true;
      return LoopStep::kContinue;
    });
    EXPECT_TRUE(loop.Start().ok());
    Yield();
    loop.Stop();
    EXPECT_TRUE(loop.Wait().ok());
    EXPECT_EQ(loop.counts().runs, 1u);
  });
  EXPECT_TRUE(ended);
}

TEST_F(LoopingCallTest, StoppedBeforeItsFirstRunItNeverRuns) {
  Run([this] {
    auto loop = LoopingCall::FixedInterval(kSecond, Noting(1));
    EXPECT_TRUE(loop.Start(kSecond).ok());
    loop.Stop();
    EXPECT_TRUE(loop.Wait().ok());
  });
  EXPECT_TRUE(at_.empty());
}

TEST_F(LoopingCallTest, DroppingItCancelsItsFiber) {
  Run([this] {
    {
      auto loop = LoopingCall::FixedInterval(absl::Hours(1), Noting(9));
      EXPECT_TRUE(loop.Start().ok());
      Yield();
    }
    Yield();
    EXPECT_EQ(hub_->Stats().fibers_live, 1u);
  });
}

TEST_F(LoopingCallTest, ATimeoutOfTheWaiterLeavesItRunning) {
  Run([this] {
    auto loop = LoopingCall::FixedInterval(2 * kSecond, Noting(2));
    EXPECT_TRUE(absl::IsFailedPrecondition(loop.Wait()));
    EXPECT_TRUE(loop.Start().ok());
    {
      Timeout timeout(kSecond);
      EXPECT_TRUE(absl::IsDeadlineExceeded(loop.Wait()));
      EXPECT_TRUE(loop.running());
    }
    EXPECT_TRUE(loop.Wait().ok());
  });
}

TEST_F(LoopingCallTest, RefusesIntervalsAndPausesThatCannotBe) {
  Run([this] {
    EXPECT_TRUE(absl::IsInvalidArgument(
        LoopingCall::FixedInterval(absl::ZeroDuration(), Noting(1)).Start()));
    EXPECT_TRUE(absl::IsInvalidArgument(
        LoopingCall::Backoff({.growth = 0.9}, SeededRandom(1), Noting(1)).Start()));
    EXPECT_TRUE(absl::IsInvalidArgument(LoopingCall::Backoff({}, nullptr, Noting(1)).Start()));
  });
}

}  // namespace
}  // namespace grove
