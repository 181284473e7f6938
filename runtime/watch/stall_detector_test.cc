#include "runtime/watch/stall_detector.h"

#include <gtest/gtest.h>

namespace grove {
namespace {

using Verdict = StallDetector::Verdict;

constexpr MonotonicNanos kMs = 1'000'000;

class StallDetectorTest : public ::testing::Test {
 protected:
  StallDetectorTest() { Look(0); }

  // After `ms` more of the same.
  Verdict Look(int ms) {
    now_ += ms * kMs;
    return detector_.Observe({.now = now_, .resumes = resumes_, .phase = phase_});
  }
  Verdict LookEvery25(int times) {
    Verdict verdict = Verdict::kNothing;
    for (int i = 0; i < times; ++i) {
      if (const Verdict next = Look(25); next != Verdict::kNothing) verdict = next;
    }
    return verdict;
  }
  Verdict OtherFiber() {
    ++resumes_;
    return Look(0);
  }

  StallDetector detector_{{.threshold = 100 * kMs, .report_interval = 1000 * kMs}};
  MonotonicNanos now_ = 5000 * kMs;
  uint64_t resumes_ = 7;
  uint64_t phase_ = 2;
};

TEST_F(StallDetectorTest, ReportsAtTheThresholdNotBefore) {
  EXPECT_EQ(Look(50), Verdict::kNothing);
  EXPECT_EQ(Look(49), Verdict::kNothing);
  EXPECT_EQ(Look(1), Verdict::kReport);
  EXPECT_EQ(detector_.held(), 100 * kMs);
  EXPECT_EQ(detector_.stats().stalls, 1u);
}

TEST_F(StallDetectorTest, ReportsAStallOnce) {
  EXPECT_EQ(LookEvery25(4), Verdict::kReport);
  EXPECT_EQ(LookEvery25(400), Verdict::kNothing);
  EXPECT_EQ(detector_.stats().stalls, 1u);
}

TEST_F(StallDetectorTest, SaysHowLongItTookWhenItIsOver) {
  LookEvery25(14);
  EXPECT_EQ(OtherFiber(), Verdict::kEnded);
  EXPECT_EQ(detector_.held(), 350 * kMs);
  EXPECT_EQ(detector_.stats().held, 350 * kMs);
  EXPECT_EQ(detector_.stats().longest, 350 * kMs);
  EXPECT_EQ(Look(25), Verdict::kNothing);
}

TEST_F(StallDetectorTest, AnySwitchIsProgress) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Look(60), Verdict::kNothing);
    EXPECT_EQ(OtherFiber(), Verdict::kNothing);
  }
  EXPECT_EQ(detector_.stats().stalls, 0u);
}

TEST_F(StallDetectorTest, AnyPollIsProgress) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Look(60), Verdict::kNothing);
    phase_ += 2;
  }
  EXPECT_EQ(detector_.stats().stalls, 0u);
}

TEST_F(StallDetectorTest, AHubThatWaitsInItsPollDoesNotStall) {
  phase_ = 3;
  EXPECT_EQ(LookEvery25(400), Verdict::kNothing);
  EXPECT_EQ(detector_.stats().stalls, 0u);
}

TEST_F(StallDetectorTest, TheTimeBeforeLeavingThePollIsNotHeld) {
  phase_ = 3;
  LookEvery25(400);
  phase_ = 4;
  EXPECT_EQ(Look(25), Verdict::kNothing);
  EXPECT_EQ(LookEvery25(3), Verdict::kNothing);
  EXPECT_EQ(Look(25), Verdict::kReport);
}

TEST_F(StallDetectorTest, CountsButDoesNotReportWithinTheInterval) {
  EXPECT_EQ(LookEvery25(4), Verdict::kReport);
  EXPECT_EQ(OtherFiber(), Verdict::kEnded);
  EXPECT_EQ(LookEvery25(4), Verdict::kNothing);
  EXPECT_EQ(OtherFiber(), Verdict::kNothing);  // its end is not reported either
  EXPECT_EQ(detector_.stats().stalls, 2u);
  EXPECT_EQ(detector_.stats().unreported, 1u);
  EXPECT_EQ(detector_.stats().held, 200 * kMs);
}

TEST_F(StallDetectorTest, ReportsAgainAfterTheInterval) {
  EXPECT_EQ(LookEvery25(4), Verdict::kReport);
  OtherFiber();
  Look(900);
  OtherFiber();
  EXPECT_EQ(LookEvery25(4), Verdict::kReport);
}

TEST_F(StallDetectorTest, AStoppedProcessIsNoStall) {
  EXPECT_EQ(Look(25), Verdict::kNothing);
  EXPECT_EQ(Look(60'000), Verdict::kNothing);
  EXPECT_EQ(Look(74), Verdict::kNothing);
  EXPECT_EQ(Look(1), Verdict::kReport);
  EXPECT_EQ(detector_.held(), 100 * kMs);
}

}  // namespace
}  // namespace grove
