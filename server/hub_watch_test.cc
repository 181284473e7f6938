#include "server/hub_watch.h"

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Logged(const std::function<void()>& log) {
  testing::internal::CaptureStderr();
  log();
  return testing::internal::GetCapturedStderr();
}

StallReport Report() {
  StallReport report;
  report.held = absl::Milliseconds(250);
  report.identified = true;
  report.fiber = 7;
  report.fiber_name = "attempt";
  report.spawn_site = "server/worker/attempts.cc:99";
  report.tenant = "acme";
  report.task = "tenants/acme/tasks/1";
  report.call.state = BlockedCall::State::kComputes;
  return report;
}

TEST(StallLog, NamesTheFiberAndItsTask) {
  EXPECT_THAT(Logged([] { LogStall(Report()); }),
              HasSubstr("warning grove \"a fiber holds the hub\" held_ms=250 fiber=7 name=attempt "
                        "spawned_at=server/worker/attempts.cc:99 tenant=acme "
                        "task=tenants/acme/tasks/1 call=computes stack="));
}

TEST(StallLog, PutsTheWholeStackIntoOneLine) {
  StallReport report = Report();
  report.stack.size = 2;
  report.stack.pcs[0] = 0x10;
  report.stack.pcs[1] = 0x20;
  const std::string line = Logged([&] { LogStall(report); });
  EXPECT_THAT(line, AllOf(HasSubstr("#0 0x"), HasSubstr(" | #1 0x"), EndsWith("\"\n")));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(StallLog, OutsideAnyFiberSaysSo) {
  StallReport report = Report();
  report.fiber = 0;
  EXPECT_THAT(Logged([&] { LogStall(report); }),
              AllOf(HasSubstr("\"a call outside any fiber holds the hub\" held_ms=250 "
                              "call=computes stack="),
                    Not(HasSubstr("fiber="))));
}

// The hub's thread did not answer: only the kernel knows what it does.
TEST(StallLog, OfAHubThatDoesNotAnswerShowsItsCallAlone) {
  StallReport report = Report();
  report.identified = false;
  report.call = {.state = BlockedCall::State::kInCall, .number = 0, .name = "read", .fd = 7};
  EXPECT_THAT(Logged([&] { LogStall(report); }),
              AllOf(HasSubstr("\"a fiber holds the hub\" held_ms=250 call="), HasSubstr("read("),
                    Not(HasSubstr("fiber=")), Not(HasSubstr("stack="))));
}

TEST(StallLog, TellsHowLongItWasOnceTheHubTurnsAgain) {
  EXPECT_THAT(
      Logged([] { LogStallEnd({.fiber = 7, .fiber_name = "attempt", .held = absl::Seconds(2)}); }),
      HasSubstr("\"the hub turns again\" held_ms=2000 fiber=7 name=attempt\n"));
}

TEST(HubWatch, LogsWhoHoldsTheHub) {
  auto hub = Hub::Create();
  ASSERT_TRUE(hub.ok());
  testing::internal::CaptureStderr();
  RunOn(**hub, [] {
    const auto watch = HubWatch::Start(absl::Milliseconds(8));
    ASSERT_TRUE(watch.ok()) << watch.status();
    while ((*watch)->stats().stalls == 0) {
      // Holds the hub until the watch has seen it.
    }
  });
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("\"a fiber holds the hub\""));
}

TEST(HubWatch, OfAThresholdThatCannotBeMeasuredIsRefused) {
  auto hub = Hub::Create();
  ASSERT_TRUE(hub.ok());
  RunOn(**hub, [] {
    EXPECT_EQ(HubWatch::Start(absl::Milliseconds(1)).status().code(),
              absl::StatusCode::kInvalidArgument);
  });
}

}  // namespace
}  // namespace grove
