#include "server/test_kit/daemon_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>

namespace grove::test_kit {
namespace {

// What only something broken reaches.
constexpr absl::Duration kLong = absl::Seconds(60);

class DaemonProcessTest : public ::testing::Test {
 protected:
  DaemonProcessTest() { log_ = ::testing::TempDir() + "/log"; }
  ~DaemonProcessTest() override { unlink(log_.c_str()); }

  absl::Status Shell(std::string script, const std::vector<std::string>& environment = {}) {
    return process_.Start({"/bin/sh", "-c", std::move(script)}, environment, log_);
  }
  absl::Status AwaitWord(std::string word) {
    return process_.AwaitLog(
        [&](std::string_view log) { return log.find(word + "\n") != std::string_view::npos; },
        kLong);
  }

  std::string log_;
  DaemonProcess process_;
};

TEST_F(DaemonProcessTest, AProgramThatIsNotThereIsNamed) {
  const absl::Status started = process_.Start({"/nonexistent/shop"}, {}, log_);
  EXPECT_EQ(started.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(started.ToString().find("/nonexistent/shop"), std::string::npos) << started;
  EXPECT_FALSE(process_.running());
}

TEST_F(DaemonProcessTest, ItsLogIsWaitedForWhileItRuns) {
  ASSERT_TRUE(Shell("echo ready; exec sleep 1000").ok());
  EXPECT_TRUE(AwaitWord("ready").ok());
  EXPECT_TRUE(process_.running());
  EXPECT_TRUE(absl::IsDeadlineExceeded(process_.AwaitEnd(absl::ZeroDuration()).status()));
  process_.Signal(SIGTERM);
  EXPECT_EQ(*process_.AwaitEnd(kLong), 128 + SIGTERM);
}

TEST_F(DaemonProcessTest, ItsEndEndsTheWaitForItsLog) {
  ASSERT_TRUE(Shell("echo no; exit 3").ok());
  EXPECT_EQ(AwaitWord("ready").message(), "it has ended with 3");
  EXPECT_EQ(*process_.AwaitEnd(kLong), 3);
  EXPECT_EQ(process_.Log(), "no\n");
}

TEST_F(DaemonProcessTest, ASecondStartHasALogOfItsOwn) {
  ASSERT_TRUE(Shell("echo first").ok());
  EXPECT_EQ(*process_.AwaitEnd(kLong), 0);
  ASSERT_TRUE(Shell("echo second").ok());
  EXPECT_EQ(*process_.AwaitEnd(kLong), 0);
  EXPECT_EQ(process_.Log(), "second\n");
}

TEST_F(DaemonProcessTest, ItsEnvironmentBeatsTheTests) {
  setenv("GROVE_TEST_COLOUR", "red", 1);
  ASSERT_TRUE(Shell("echo $GROVE_TEST_COLOUR", {"GROVE_TEST_COLOUR=blue"}).ok());
  EXPECT_EQ(*process_.AwaitEnd(kLong), 0);
  EXPECT_EQ(process_.Log(), "blue\n");
}

TEST_F(DaemonProcessTest, KillLeavesNothingOfItsSession) {
  ASSERT_TRUE(Shell("sleep 1000 & sleep 1000 & echo ready; wait").ok());
  ASSERT_TRUE(AwaitWord("ready").ok());
  EXPECT_EQ(process_.Session().size(), 3u);
  process_.Kill();
  EXPECT_EQ(process_.Session().size(), 0u);
  EXPECT_FALSE(process_.running());
}

TEST_F(DaemonProcessTest, WhatItLeftBehindIsSeenAndKilled) {
  ASSERT_TRUE(Shell("sleep 1000 & exit 0").ok());
  EXPECT_EQ(*process_.AwaitEnd(kLong), 0);
  EXPECT_EQ(process_.Session().size(), 1u);
  process_.Kill();
  EXPECT_EQ(process_.Session().size(), 0u);
}

// The test's own process is killed: nobody is left to end what it has started.
TEST_F(DaemonProcessTest, ItEndsWithATestThatIsKilled) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string note = ::testing::TempDir() + "/pid";
  const auto start_and_die = [&] {
    DaemonProcess orphan;
    if (!orphan.Start({"/bin/sleep", "1000"}, {}, log_).ok()) return;
    std::ofstream(note) << orphan.pid() << std::flush;
    raise(SIGKILL);
  };
  EXPECT_EXIT(start_and_die(), ::testing::KilledBySignal(SIGKILL), "");
  pid_t pid = 0;
  ASSERT_TRUE(std::ifstream(note) >> pid);
  unlink(note.c_str());
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return;  // it is gone already
  pollfd ended{pidfd, POLLIN, 0};
  EXPECT_EQ(poll(&ended, 1, 60'000), 1) << pid << " still runs";
  close(pidfd);
}

}  // namespace
}  // namespace grove::test_kit
