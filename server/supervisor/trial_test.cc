#include "server/supervisor/trial.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "gmock/gmock.h"
#include "server/supervisor/handover.h"

namespace grove::supervisor {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class TrialTest : public testing::Test {
 protected:
  TrialTest() : handover_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)) { sigemptyset(&mask_); }
  ~TrialTest() override { close(handover_fd_); }

  // A shell script; its path.
  std::string Program(const std::string& script, mode_t mode = 0700) {
    std::string path = testing::TempDir() + "/program";
    unlink(path.c_str());
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    chmod(path.c_str(), mode);
    return path;
  }
  absl::StatusOr<Trial> Start(const std::string& program) {
    return Trial::Start(program, {"groved", "--workers=2"}, handover_fd_, mask_, 0);
  }
  // Reads what it says until it ends.
  static absl::Status Await(Trial& trial) {
    while (trial.words_fd() >= 0 || trial.answer_fd() >= 0) {
      pollfd polled[] = {{.fd = trial.words_fd(), .events = POLLIN, .revents = 0},
                         {.fd = trial.answer_fd(), .events = POLLIN, .revents = 0}};
      poll(polled, 2, -1);
      trial.Read();
    }
    int status = 0;
    EXPECT_EQ(waitpid(trial.pid(), &status, 0), trial.pid());
    return trial.Judge(status);
  }
  absl::Status Try(const std::string& script) {
    absl::StatusOr<Trial> trial = Start(Program(script));
    return trial.ok() ? Await(*trial) : trial.status();
  }
  std::string Verdict(const std::string& script) { return std::string(Try(script).message()); }

  const int handover_fd_;
  sigset_t mask_;
};

TEST_F(TrialTest, PassesWhoSaysSoAndEndsWith0) {
  EXPECT_EQ(Try("echo ready to take over"), absl::OkStatus());
}

TEST_F(TrialTest, GetsTheDaemonsArgumentsAndTheHandover) {
  EXPECT_THAT(Verdict("echo \"$@\" >&2; exit 1"),
              EndsWith("--workers=2 --check --handover_fd=" + std::to_string(handover_fd_)));
  EXPECT_EQ(
      Try("test -e /proc/self/fd/" + std::to_string(handover_fd_) + " && echo ready to take over"),
      absl::OkStatus());
}

TEST_F(TrialTest, WhoEndsOtherwiseIsToldWithItsLastWords) {
  EXPECT_THAT(Verdict("echo first >&2; echo the config is wrong >&2; exit 2"),
              EndsWith("its check ended with exit code 2: the config is wrong"));
  EXPECT_THAT(Verdict("kill -SEGV $$"), HasSubstr("signal 11"));
}

TEST_F(TrialTest, AProgramThatChecksNothingIsNone) {
  EXPECT_THAT(Verdict("exit 0"), EndsWith("it is no such program: it checked nothing"));
}

TEST_F(TrialTest, WhatIsNoProgramIsNotStarted) {
  EXPECT_EQ(Start("/no/such/program").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Start(Program("exit 0", 0600)).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Start("/tmp").status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(TrialTest, WhatCannotBeExecutedSaysWhy) {
  const std::string path = Program("");
  std::ofstream(path) << "no program";
  absl::StatusOr<Trial> trial = Start(path);
  ASSERT_TRUE(trial.ok()) << trial.status();
  EXPECT_THAT(std::string(Await(*trial).message()), HasSubstr("Exec format error"));
}

TEST_F(TrialTest, WhoTakesTooLongIsKilledWithWhatItStarted) {
  absl::StatusOr<Trial> trial = Start(Program("sleep 1000 & sleep 1000"));
  ASSERT_TRUE(trial.ok());
  trial->Kill();
  // The pipes end with the last that has them.
  EXPECT_THAT(std::string(Await(*trial).message()), HasSubstr("runtime.boot_timeout_ms"));
}

TEST_F(TrialTest, EndsWithWhoWantedToKnow) {
  pid_t pid = 0;
  {
    absl::StatusOr<Trial> trial = Start(Program("sleep 1000"));
    ASSERT_TRUE(trial.ok());
    pid = trial->pid();
    const Trial moved = *std::move(trial);
    EXPECT_EQ(moved.pid(), pid);
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(TrialTest, MuchThatIsSaidIsCutAndDoesNotBlock) {
  EXPECT_THAT(Verdict("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1").size(),
              ::testing::Lt(2 * Trial::kWordsMax));
}

}  // namespace
}  // namespace grove::supervisor
