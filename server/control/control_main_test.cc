// The process: started, told to stop, left alone, and started wrongly.
#include "server/control/control_main.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/metrics/scoreboard.h"
#include "server/process/config_handover.h"
#include "server/process/control_arguments.h"
#include "server/process/exit_code.h"
#include "server/process/ready_line.h"
#include "server/version.h"

namespace grove::control {
namespace {

// A grove-control in a child process of this one, which has no threads yet.
class ControlMainTest : public testing::Test {
 protected:
  ControlMainTest() : scoreboard_(*metrics::Scoreboard::Create(1)) {
    char pattern[] = "/tmp/grove-control-XXXXXX";
    directory_ = mkdtemp(pattern);
    config_.set_run_dir(directory_);
    config_.set_state_dir(directory_);
    config_.set_workers(1);
    config_.set_drain_timeout_ms(1000);
    config_.mutable_control()->set_listen("127.0.0.1:0");
    config_.mutable_control()->set_connections_max(1000);
    config_.mutable_control()->set_handshake_timeout_ms(10'000);
    config_.mutable_control()->set_idle_timeout_ms(600'000);
    config_.mutable_admin()->set_listen("127.0.0.1:0");
  }
  ~ControlMainTest() override {
    std::filesystem::remove_all(directory_);
    close(volatile_tasks_fd_);
  }

  void Start() {
    config_fd_ = *process::ConfigToMemfd(config_);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, command_), 0);
    ASSERT_EQ(pipe2(lifeline_, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(ready_, O_CLOEXEC), 0);
    child_ = fork();
    if (child_ == 0) {
      close(lifeline_[1]);
      std::vector<std::string> arguments =
          process::FormatControlArguments({.config_fd = config_fd_,
                                           .scoreboard_fd = scoreboard_.fd(),
                                           .lifeline_fd = lifeline_[0],
                                           .ready_fd = ready_[1],
                                           .volatile_tasks_fd = volatile_tasks_fd_,
                                           .command_fd = command_[0]});
      arguments.insert(arguments.begin(), "grove-control");
      std::vector<char*> argv;
      argv.reserve(arguments.size());
      for (std::string& argument : arguments) argv.push_back(argument.data());
      _exit(ControlMain(static_cast<int>(argv.size()), argv.data()));
    }
    close(ready_[1]);
    close(lifeline_[0]);
  }

  // Where it says that it serves; empty if it ended before.
  process::ControlAddresses Ready() {
    process::ReadyLineReader reader(ready_[0]);
    process::ReadyLineReader::Outcome outcome;
    while ((outcome = reader.Read()) == process::ReadyLineReader::Outcome::kMore) {
    }
    if (outcome == process::ReadyLineReader::Outcome::kNone) return {};
    const auto addresses = process::ParseControlReady(reader.line());
    EXPECT_TRUE(addresses.ok()) << addresses.status();
    return addresses.value_or(process::ControlAddresses());
  }

  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    return WEXITSTATUS(status);
  }

  std::string directory_;
  config::v1::Config config_;
  metrics::Scoreboard scoreboard_;
  int config_fd_ = -1;
  int lifeline_[2];
  int ready_[2];
  int command_[2];
  const int volatile_tasks_fd_ = memfd_create("volatile-tasks", MFD_CLOEXEC);
  pid_t child_ = -1;
};

TEST_F(ControlMainTest, SaysWhereItServesAndStopsWhenAsked) {
  Start();
  const process::ControlAddresses addresses = Ready();
  EXPECT_TRUE(absl::StartsWith(addresses.grpc, "127.0.0.1:")) << addresses.grpc;
  EXPECT_TRUE(absl::StartsWith(addresses.admin, "127.0.0.1:")) << addresses.admin;
  std::string name;
  std::getline(std::ifstream(absl::StrCat("/proc/", child_, "/comm")), name);
  EXPECT_EQ(name, "grove-control");
  kill(child_, SIGTERM);
  EXPECT_EQ(ExitCode(), process::kExitStopped);
}

TEST_F(ControlMainTest, HandsOverAtOnceWhenAsked) {
  Start();
  ASSERT_NE(Ready().grpc, "");
  kill(child_, SIGQUIT);
  EXPECT_EQ(ExitCode(), process::kExitStopped);
}

TEST_F(ControlMainTest, EndsWhenTheSupervisorIsGone) {
  Start();
  ASSERT_NE(Ready().grpc, "");
  close(lifeline_[1]);
  EXPECT_EQ(ExitCode(), process::kExitCrash);
}

TEST_F(ControlMainTest, ExitsWith3WhenAPortIsTaken) {
  Start();
  const process::ControlAddresses taken = Ready();
  const pid_t first = child_;
  const int first_lifeline = lifeline_[1];
  const std::string other = directory_ + "/other";
  std::filesystem::create_directory(other);
  config_.set_run_dir(other);
  config_.set_state_dir(other);
  config_.mutable_control()->set_listen(taken.grpc);
  Start();
  EXPECT_EQ(Ready().grpc, "");
  EXPECT_EQ(ExitCode(), process::kExitCannotBind);
  config_.mutable_control()->set_listen("127.0.0.1:0");
  config_.mutable_admin()->set_listen(taken.admin);
  Start();
  EXPECT_EQ(ExitCode(), process::kExitCannotBind);
  kill(first, SIGTERM);
  child_ = first;
  EXPECT_EQ(ExitCode(), process::kExitStopped);
  close(first_lifeline);
}

TEST_F(ControlMainTest, ExitsWith2ForAConfigThatDoesNotHold) {
  config_.mutable_control()->add_tokens()->set_name("a");
  Start();
  EXPECT_EQ(Ready().grpc, "");
  EXPECT_EQ(ExitCode(), process::kExitBadConfig);
}

TEST_F(ControlMainTest, ExitsWith2ForFilesThatAreNoCertificate) {
  const std::string file = directory_ + "/nothing.pem";
  std::ofstream(file) << "nothing";
  config_.mutable_control()->mutable_tls()->set_certificate_file(file);
  config_.mutable_control()->mutable_tls()->set_key_file(file);
  Start();
  EXPECT_EQ(Ready().grpc, "");
  EXPECT_EQ(ExitCode(), process::kExitBadConfig);
}

TEST(ControlMain, TellsItsVersion) {
  char name[] = "grove-control", flag[] = "--version";
  char* argv[] = {name, flag};
  testing::internal::CaptureStdout();
  EXPECT_EQ(ControlMain(2, argv), process::kExitStopped);
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "grove-control (grove " + std::string(kVersion) + ")\n");
}

TEST(ControlMain, RunByHandSaysWhatItIs) {
  char name[] = "grove-control";
  char* argv[] = {name};
  testing::internal::CaptureStderr();
  EXPECT_EQ(ControlMain(1, argv), process::kExitBadConfig);
  EXPECT_TRUE(absl::StrContains(testing::internal::GetCapturedStderr(), "started by groved"));
}

}  // namespace
}  // namespace grove::control
