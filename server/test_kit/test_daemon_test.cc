#include "server/test_kit/test_daemon.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace grove::test_kit {
namespace {

constexpr char kTicker[] = "server/examples/ticker";

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(TestDaemonTest, ServesHttpAndTasksInOneLineAndLeavesNothingBehind) {
  std::string folder;
  {
    TestDaemon daemon(kTicker);
    ASSERT_TRUE(daemon.status().ok()) << daemon.status();
    folder = daemon.folder();
    EXPECT_EQ(daemon.Request("GET", "/count").body, "0\n");
    EXPECT_EQ(daemon.Request("GET", "/none").status, 404);
    EXPECT_EQ(daemon.Request("GET", "/primes/10").body, "4\n");
    const absl::StatusOr<v1::Task> task = daemon.RunTask("ticker.primes", "20");
    ASSERT_TRUE(task.ok()) << task.status();
    EXPECT_EQ(task->state(), v1::TASK_STATE_SUCCEEDED);
    EXPECT_EQ(task->output(), "8");
    EXPECT_EQ(daemon.Url("/count"), "http://" + daemon.http_address() + "/count");
    EXPECT_NE(daemon.admin_address(), daemon.control_address());
    const absl::Status stopped = daemon.Stop();
    EXPECT_TRUE(stopped.ok()) << stopped;
    EXPECT_EQ(daemon.Request("GET", "/count").status, 0);
    EXPECT_TRUE(absl::IsUnavailable(daemon.RunTask("ticker.primes", "20").status()));
  }
  struct stat gone;
  EXPECT_NE(stat(folder.c_str(), &gone), 0) << folder;
}

TEST(TestDaemonTest, KeepsItsTasksOverStopsAndKills) {
  TestDaemon daemon(kTicker, {.flags = {"--workers=2"}});
  ASSERT_TRUE(daemon.status().ok()) << daemon.status();
  const absl::StatusOr<v1::Task> task = daemon.RunTask("ticker.primes", "10");
  ASSERT_TRUE(task.ok()) << task.status();
  const absl::Status restarted = daemon.Restart();
  ASSERT_TRUE(restarted.ok()) << restarted;
  EXPECT_EQ(daemon.client().Get(task->name())->output(), "4");
  EXPECT_TRUE(absl::IsFailedPrecondition(daemon.Start()));
  daemon.Kill();
  EXPECT_TRUE(absl::IsFailedPrecondition(daemon.Stop()));
  ASSERT_TRUE(daemon.Start().ok()) << daemon.status();
  EXPECT_EQ(daemon.client().Get(task->name())->output(), "4");
}

TEST(TestDaemonTest, SaysWhyItDoesNotServe) {
  ::testing::internal::CaptureStderr();
  {
    TestDaemon absent("/nonexistent/ticker");
    EXPECT_TRUE(absl::IsNotFound(absent.status())) << absent.status();
    TestDaemon daemon(kTicker, {.config = "colour: red"});
    const std::string why(daemon.status().message());
    EXPECT_TRUE(Has(why, "it does not serve: it has ended with 2")) << why;
    EXPECT_TRUE(Has(why, "unknown key 'colour'")) << why;
    EXPECT_EQ(daemon.Request("GET", "/count").status, 0);
  }
  EXPECT_TRUE(Has(::testing::internal::GetCapturedStderr(), "unknown key 'colour'"));
}

TEST(TestDaemonTest, ADeathIsSeenAtTheStop) {
  ::testing::internal::CaptureStderr();
  {
    TestDaemon daemon(kTicker);
    ASSERT_TRUE(daemon.status().ok()) << daemon.status();
    kill(daemon.pid(), SIGKILL);
    const std::string why(daemon.Stop().message());
    EXPECT_TRUE(Has(why, "it has ended with exit code 137")) << why;
    EXPECT_TRUE(Has(why, "\"serving\"")) << why;
  }
  EXPECT_TRUE(Has(::testing::internal::GetCapturedStderr(), "\"serving\""));
}

TEST(TestDaemonTest, ShowsItsLogWhereTheTestHasFailed) {
  for (const bool failed : {false, true}) {
    ::testing::internal::CaptureStderr();
    {
      TestDaemon daemon(kTicker, {.failed = [failed] { return failed; }});
      EXPECT_TRUE(daemon.status().ok()) << daemon.status();
    }
    EXPECT_EQ(Has(::testing::internal::GetCapturedStderr(), "\"serving\""), failed);
  }
}

TEST(TestDaemonTest, IsAskedWhereAFlagHasItListen) {
  char folder[] = "/tmp/grove-socket-XXXXXX";  // short, as the path of a socket must be
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string socket = std::string(folder) + "/http";
  {
    TestDaemon daemon(kTicker, {.flags = {"--http=unix:" + socket}});
    ASSERT_TRUE(daemon.status().ok()) << daemon.status();
    EXPECT_EQ(daemon.http_address(), "unix:" + socket);
    EXPECT_EQ(daemon.Request("GET", "/count").body, "0\n");
  }
  rmdir(folder);
}

}  // namespace
}  // namespace grove::test_kit
