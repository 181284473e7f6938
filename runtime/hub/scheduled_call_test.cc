#include "runtime/hub/scheduled_call.h"

#include <gmock/gmock.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using ScheduledCallTest = HubTest;
using ScheduledCallDeathTest = HubTest;
constexpr absl::Duration kSecond = absl::Seconds(1);

TEST_F(ScheduledCallTest, RunsAtItsDeadlineOutsideAnyFiber) {
  Run([this] {
    const MonotonicNanos begun = hub_->now();
    MonotonicNanos ran_at = 0;
    const ScheduledCall call = ScheduleCall(2 * kSecond, [&] {
      ran_at = hub_->now();
      EXPECT_EQ(hub_->running(), nullptr);
    });
    EXPECT_TRUE(call.pending());
    EXPECT_TRUE(Sleep(3 * kSecond).ok());
    EXPECT_EQ(absl::Nanoseconds(ran_at - begun), 2 * kSecond);
    EXPECT_FALSE(call.pending());
  });
}

TEST_F(ScheduledCallTest, ThoseOfOneDeadlineRunInTheOrderOfScheduling) {
  Run([] {
    std::string order;
    for (char name = 'a'; name <= 'h'; ++name) {
      (void)ScheduleCall(kSecond, [&order, name] { order += name; });
    }
    (void)ScheduleCall(absl::ZeroDuration(), [&order] { order += '0'; });
    EXPECT_TRUE(Sleep(kSecond).ok());
    EXPECT_EQ(order, "0abcdefgh");
  });
}

TEST_F(ScheduledCallTest, ACancelledCallNeverRunsAndGivesUpItsClosure) {
  Run([this] {
    auto held = std::make_shared<int>(1);
    ScheduledCall call = ScheduleCall(kSecond, [held] { ++*held; });
    EXPECT_TRUE(call.Cancel());
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(hub_->Stats().timers_armed, 0u);
    EXPECT_FALSE(call.Cancel());
    EXPECT_TRUE(Sleep(2 * kSecond).ok());
    EXPECT_EQ(*held, 1);
    EXPECT_FALSE(ScheduledCall().Cancel());
  });
}

TEST_F(ScheduledCallTest, OneScheduledWhileTimersFireRunsInTheNextTurn) {
  Run([this] {
    uint64_t outer = 0;
    uint64_t inner = 0;
    (void)ScheduleCall(kSecond, [&] {
      outer = hub_->Stats().turns;
      (void)ScheduleCall(-kSecond, [&] { inner = hub_->Stats().turns; });
    });
    EXPECT_TRUE(Sleep(2 * kSecond).ok());
    EXPECT_EQ(inner, outer + 1);
  });
}

TEST_F(ScheduledCallTest, TheLocalFormIsSkippedOnceItsFiberHasEnded) {
  Run([] {
    std::string ran;
    FiberHandle fiber = *Spawn("owner", [&] {
      (void)ScheduleCallLocal(kSecond, [&] { ran += "during "; });
      (void)ScheduleCallLocal(3 * kSecond, [&] { ran += "after "; });
      (void)ScheduleCall(3 * kSecond, [&] { ran += "global"; });
      (void)Sleep(2 * kSecond);
    });
    EXPECT_TRUE(Sleep(4 * kSecond).ok());
    EXPECT_EQ(ran, "during global");
  });
}

TEST_F(ScheduledCallTest, AnExceptionIsCountedAndTheOthersRun) {
  bool ran = false;
  testing::internal::CaptureStderr();
  Run([&ran] {
    (void)ScheduleCall(kSecond, [] { throw std::runtime_error("broken"); });
    (void)ScheduleCall(kSecond, [] { throw 1; });
    (void)ScheduleCall(kSecond, [&ran] { ran = true; });
    EXPECT_TRUE(Sleep(2 * kSecond).ok());
  });
  EXPECT_TRUE(ran);
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 2u);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::ContainsRegex("exception in a call scheduled at "
                                     ".*scheduled_call_test.cc:[0-9]+: broken"));
}

TEST_F(ScheduledCallTest, ThoseThatArePendingCanBeSeenWithTheirPlaceAndTime) {
  Run([this] {
    (void)ScheduleCall(2 * kSecond, [] {});
    ScheduledCall cancelled = ScheduleCall(3 * kSecond, [] {});
    const int line = __LINE__ + 1;
    (void)ScheduleCallLocal(4 * kSecond, [] {});
    EXPECT_TRUE(cancelled.Cancel());
    std::vector<absl::Duration> due;
    const auto note = [&](const SourceLocation& site, MonotonicNanos at) {
      if (due.empty()) {
        EXPECT_EQ(site.line(), static_cast<unsigned>(line));
      }
      due.push_back(absl::Nanoseconds(at - hub_->now()));
    };
    ScheduledCall::Visit(10, note);
    EXPECT_EQ(due, (std::vector<absl::Duration>{4 * kSecond, 2 * kSecond}));
    due.clear();
    ScheduledCall::Visit(1, note);
    EXPECT_EQ(due.size(), 1u);
  });
}

TEST_F(ScheduledCallTest, MaySpawnWhatParks) {
  Run([] {
    absl::Status slept = absl::UnknownError("not run");
    (void)ScheduleCall(kSecond, [&] { (void)Spawn("later", [&] { slept = Sleep(kSecond); }); });
    EXPECT_TRUE(Sleep(3 * kSecond).ok());
    EXPECT_TRUE(slept.ok());
  });
}

TEST_F(ScheduledCallTest, WhatIsLeftAtTheHubsEndIsDropped) {
  auto held = std::make_shared<int>(1);
  ScheduledCall call;
  Run([&] {
    call = ScheduleCallLocal(kSecond, [held] { ++*held; });
    (void)ScheduleCall(kSecond, [held] { ++*held; });
  });
  EXPECT_FALSE(call.pending());
  EXPECT_EQ(*held, 1);
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(ScheduledCallDeathTest, ParkingInACallIsAProgrammingError) {
  EXPECT_DEATH(Run([] {
                 (void)ScheduleCall(absl::ZeroDuration(), [] { (void)Sleep(kSecond); });
                 (void)Sleep(kSecond);
               }),
               "slept outside a fiber");
}

}  // namespace
}  // namespace grove
