#include "runtime/repeat/periodic_tasks.h"

#include <stdexcept>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using Options = PeriodicTaskOptions;
constexpr absl::Duration kSecond = absl::Seconds(1);

class PeriodicTasksTest : public HubTest {
 protected:
  static Options Every(std::string name, absl::Duration spacing) {
    return {.name = std::move(name), .spacing = spacing};
  }
  // Notes at which second it runs, and takes `takes`.
  PeriodicTasks::Body Noting(absl::Duration takes = absl::ZeroDuration()) {
    return [this, takes]() -> absl::Status {
      at_.push_back(absl::ToDoubleSeconds(absl::Nanoseconds(hub_->now() - begun_)));
      clock_.Advance(takes);
      return absl::OkStatus();
    };
  }
  PeriodicTasks Tasks() {
    return PeriodicTasks([this] { return random_; },
                         [this](std::string_view task, const absl::Status& failure) {
                           reports_.push_back(std::string(task) + ": " + failure.ToString());
                         });
  }

  const MonotonicNanos begun_ = clock_.Now();
  double random_ = 0;
  std::vector<double> at_;
  std::vector<std::string> reports_;
};

TEST_F(PeriodicTasksTest, FirstRunsOneSpacingAfterTheStartOrAtOnceIfAsked) {
  Run([this] {
    PeriodicTasks tasks = Tasks();
    ASSERT_TRUE(tasks.Add(Every("later", 10 * kSecond), Noting()).ok());
    EXPECT_EQ(tasks.RunDue(), 10 * kSecond);
    EXPECT_TRUE(at_.empty());
    Options at_once = Every("at once", 7 * kSecond);
    at_once.first = Options::First::kImmediately;
    ASSERT_TRUE(tasks.Add(at_once, Noting()).ok());
    EXPECT_EQ(tasks.RunDue(), 7 * kSecond);
    EXPECT_EQ(at_, std::vector<double>{0});
  });
}

TEST_F(PeriodicTasksTest, TheLoopRunsEachAtItsOwnSpacingWithoutDrift) {
  Run([this] {
    random_ = 0.5;
    PeriodicTasks tasks = Tasks();
    ASSERT_TRUE(tasks.Add(Every("a", 10 * kSecond), Noting(kSecond)).ok());
    ASSERT_TRUE(tasks.Start().ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(tasks.Start()));
    EXPECT_TRUE(Sleep(35 * kSecond).ok());
    tasks.Stop();
    EXPECT_TRUE(tasks.Wait().ok());
    EXPECT_EQ(at_, (std::vector<double>{10.25, 20.25, 30.25}));
  });
}

TEST_F(PeriodicTasksTest, AnOverrunLeadsToNoExtraRuns) {
  Run([this] {
    PeriodicTasks tasks = Tasks();
    ASSERT_TRUE(tasks.Add(Every("slow", 10 * kSecond), Noting(25 * kSecond)).ok());
    ASSERT_TRUE(tasks.Start().ok());
    EXPECT_TRUE(Sleep(50 * kSecond).ok());
    tasks.Stop();
    EXPECT_TRUE(tasks.Wait().ok());
    EXPECT_EQ(at_, (std::vector<double>{10, 40}));
  });
}

TEST_F(PeriodicTasksTest, AFailureOrAnExceptionIsReportedAndEndsNothingElse) {
  Run([this] {
    PeriodicTasks tasks = Tasks();
    ASSERT_TRUE(tasks.Add(Every("fails", kSecond), [] { return absl::NotFoundError("no"); }).ok());
    ASSERT_TRUE(
        tasks.Add(Every("throws", kSecond), []() -> absl::Status { throw std::runtime_error("x"); })
            .ok());
    ASSERT_TRUE(tasks.Add(Every("odd", kSecond), []() -> absl::Status { throw 1; }).ok());
    ASSERT_TRUE(tasks.Add(Every("well", kSecond), Noting()).ok());
    ASSERT_TRUE(tasks.Start().ok());
    EXPECT_TRUE(Sleep(2.5 * kSecond).ok());
    EXPECT_TRUE(tasks.running());
    EXPECT_EQ(at_, (std::vector<double>{1, 2}));
    EXPECT_EQ(tasks.tasks()[2].failures, 2u);
    ASSERT_EQ(reports_.size(), 6u);
    EXPECT_EQ(reports_[0], "fails: NOT_FOUND: no");
    EXPECT_EQ(reports_[1], "throws: UNKNOWN: exception in fiber \"throws\": x");
    tasks.Stop();
    EXPECT_TRUE(tasks.Wait().ok());
  });
  EXPECT_EQ(hub_->Stats().uncaught_exceptions, 0u);
}

TEST_F(PeriodicTasksTest, RunDueOrFailStopsAtTheFirstFailure) {
  Run([this] {
    PeriodicTasks tasks = Tasks();
    ASSERT_TRUE(tasks.Add(Every("fails", kSecond), [] { return absl::NotFoundError("no"); }).ok());
    ASSERT_TRUE(tasks.Add(Every("next", kSecond), Noting()).ok());
    EXPECT_TRUE(Sleep(kSecond).ok());
    EXPECT_EQ(tasks.RunDueOrFail(), absl::NotFoundError("no"));
    EXPECT_TRUE(at_.empty());
    EXPECT_TRUE(tasks.RunDueOrFail().ok());
    EXPECT_EQ(at_.size(), 1u);
  });
}

TEST_F(PeriodicTasksTest, SpacingDefaultsToAMinuteAndANegativeOneDisables) {
  Run([this] {
    PeriodicTasks tasks = Tasks();
    ASSERT_TRUE(tasks.Add({.name = "never", .spacing = -kSecond}, Noting()).ok());
    ASSERT_TRUE(tasks.Add({.name = "off", .mode = Options::Mode::kDisabled}, Noting()).ok());
    EXPECT_EQ(tasks.tasks()[0].due, kNever);
    EXPECT_EQ(tasks.tasks()[1].due, kNever);
    EXPECT_EQ(tasks.RunDue(), PeriodicTasks::kIdleMax);
    ASSERT_TRUE(tasks.Add({.name = "default"}, Noting()).ok());
    EXPECT_EQ(absl::Nanoseconds(tasks.tasks()[2].due - begun_), absl::Seconds(60));
    EXPECT_TRUE(absl::IsAlreadyExists(tasks.Add({.name = "default"}, Noting())));
    EXPECT_TRUE(absl::IsInvalidArgument(tasks.Add({}, Noting())));
    ASSERT_TRUE(tasks.Add(Every("rare", absl::Hours(1)), Noting()).ok());
    EXPECT_TRUE(Sleep(absl::Seconds(60)).ok());
    EXPECT_EQ(tasks.RunDue(), PeriodicTasks::kIdleMax);
  });
}

TEST_F(PeriodicTasksTest, ACancelledCallerCancelsTheTaskAndWaitsForIt) {
  Run([this] {
    PeriodicTasks tasks = Tasks();
    bool ended = false;
    ASSERT_TRUE(tasks
                    .Add(Every("long", kSecond),
                         [&ended] {
                           absl::Status slept = Sleep(absl::Hours(1));
                           ended = true;
                           return slept;
                         })
                    .ok());
    EXPECT_TRUE(Sleep(kSecond).ok());
    {
      Timeout timeout(kSecond);
      (void)tasks.RunDue();
      EXPECT_TRUE(timeout.fired());
    }
    EXPECT_TRUE(ended);
    EXPECT_TRUE(reports_.empty());
  });
}

}  // namespace
}  // namespace grove
