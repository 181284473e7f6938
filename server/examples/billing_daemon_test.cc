// What docs/testing_applications.md shows of TestDaemon.
#include <gtest/gtest.h>

#include "server/test_kit/test_daemon.h"

namespace {

using grove::test_kit::TestDaemon;

constexpr char kProgram[] = "server/examples/billing_daemon";

// [daemon]
TEST(BillingDaemonTest, ServesAndKeepsItsTasks) {
  TestDaemon daemon(
      kProgram, {.config = "application: {currency: CHF}", .failed = ::testing::Test::HasFailure});
  ASSERT_TRUE(daemon.status().ok()) << daemon.status();
  EXPECT_EQ(daemon.Request("GET", "/rate").status, 503);
  const absl::StatusOr<grove::v1::Task> report = daemon.RunTask("billing.report", "");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->output(), "0 charges");
  daemon.Kill();  // as a power cut does
  ASSERT_TRUE(daemon.Start().ok()) << daemon.status();
  EXPECT_EQ(daemon.client().Get(report->name())->output(), "0 charges");
  const absl::Status stopped = daemon.Stop();
  EXPECT_TRUE(stopped.ok()) << stopped;
}
// [/daemon]

}  // namespace
