// The process: started, told to stop, left alone, and started wrongly.
#include "server/control/control_main.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/metrics/scoreboard.h"
#include "server/process/config_handover.h"

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
    config_.mutable_admin()->set_listen("127.0.0.1:0");
  }
  ~ControlMainTest() override { std::filesystem::remove_all(directory_); }

  void Start() {
    config_fd_ = *process::ConfigToMemfd(config_);
    ASSERT_EQ(pipe2(lifeline_, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(ready_, O_CLOEXEC), 0);
    child_ = fork();
    if (child_ == 0) {
      close(lifeline_[1]);
      std::vector<std::string> arguments = {
          "grove-control", absl::StrCat("--config_fd=", config_fd_),
          absl::StrCat("--scoreboard_fd=", scoreboard_.fd()),
          absl::StrCat("--lifeline_fd=", lifeline_[0]), absl::StrCat("--ready_fd=", ready_[1])};
      std::vector<char*> argv;
      for (std::string& argument : arguments) argv.push_back(argument.data());
      _exit(ControlMain(static_cast<int>(argv.size()), argv.data()));
    }
    close(ready_[1]);
    close(lifeline_[0]);
  }

  // The line that says that it serves; empty if it ended before.
  std::string ReadyLine() {
    std::string line;
    for (char c; read(ready_[0], &c, 1) == 1 && c != '\n';) line.push_back(c);
    return line;
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
  pid_t child_ = -1;
};

TEST_F(ControlMainTest, SaysWhereItServesAndStopsWhenAsked) {
  Start();
  const std::string line = ReadyLine();
  ASSERT_TRUE(absl::StartsWith(line, "control=127.0.0.1:")) << line;
  const size_t space = line.find(" admin=127.0.0.1:");
  ASSERT_NE(space, line.npos) << line;
  std::ostringstream file;
  file << std::ifstream(directory_ + "/control.addresses").rdbuf();
  EXPECT_EQ(file.str(), absl::StrCat("grpc ", line.substr(8, space - 8), "\nadmin ",
                                     line.substr(space + 7), "\n"));
  std::string name;
  std::getline(std::ifstream(absl::StrCat("/proc/", child_, "/comm")), name);
  EXPECT_EQ(name, "grove-control");
  kill(child_, SIGTERM);
  EXPECT_EQ(ExitCode(), 0);
}

TEST_F(ControlMainTest, EndsWhenTheSupervisorIsGone) {
  Start();
  ASSERT_NE(ReadyLine(), "");
  close(lifeline_[1]);
  EXPECT_EQ(ExitCode(), 1);
}

TEST_F(ControlMainTest, ExitsWith3WhenAPortIsTaken) {
  Start();
  const std::string line = ReadyLine();
  const std::string grpc = line.substr(8, line.find(' ') - 8);
  const std::string admin = line.substr(line.rfind('=') + 1);
  const pid_t first = child_;
  const int first_lifeline = lifeline_[1];
  const std::string other = directory_ + "/other";
  std::filesystem::create_directory(other);
  config_.set_run_dir(other);
  config_.set_state_dir(other);
  config_.mutable_control()->set_listen(grpc);
  Start();
  EXPECT_EQ(ReadyLine(), "");
  EXPECT_EQ(ExitCode(), 3);
  config_.mutable_control()->set_listen("127.0.0.1:0");
  config_.mutable_admin()->set_listen(admin);
  Start();
  EXPECT_EQ(ExitCode(), 3);
  kill(first, SIGTERM);
  child_ = first;
  EXPECT_EQ(ExitCode(), 0);
  close(first_lifeline);
}

TEST_F(ControlMainTest, ExitsWith2ForAConfigThatDoesNotHold) {
  config_.mutable_control()->add_tokens()->set_name("a");
  Start();
  EXPECT_EQ(ReadyLine(), "");
  EXPECT_EQ(ExitCode(), 2);
}

TEST(ControlMain, RunByHandSaysWhatItIs) {
  char name[] = "grove-control";
  char* argv[] = {name};
  testing::internal::CaptureStderr();
  EXPECT_EQ(ControlMain(1, argv), 2);
  EXPECT_TRUE(absl::StrContains(testing::internal::GetCapturedStderr(), "started by groved"));
}

}  // namespace
}  // namespace grove::control
