#include "server/process/control_arguments.h"

#include <fcntl.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grove::process {
namespace {

class ControlArguments : public ::testing::Test {
 protected:
  ControlArguments() {
    for (int& fd : open_) fd = open("/dev/null", O_RDONLY);
  }
  ~ControlArguments() override {
    for (const int fd : open_) close(fd);
  }
  ControlDescriptors Open() const {
    return {.config_fd = open_[0],
            .scoreboard_fd = open_[1],
            .lifeline_fd = open_[2],
            .ready_fd = open_[3],
            .volatile_tasks_fd = open_[4],
            .command_fd = open_[5]};
  }
  static absl::StatusOr<ControlDescriptors> Parse(const std::vector<std::string>& arguments) {
    std::vector<const char*> argv = {"grove-control"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return ParseControlArguments(static_cast<int>(argv.size()), argv.data());
  }
  static std::string Error(const std::vector<std::string>& arguments) {
    return std::string(Parse(arguments).status().message());
  }

  int open_[6];
};

TEST_F(ControlArguments, NameEveryDescriptor) {
  EXPECT_EQ(FormatControlArguments({.config_fd = 3,
                                    .scoreboard_fd = 4,
                                    .lifeline_fd = 5,
                                    .ready_fd = 6,
                                    .volatile_tasks_fd = 7,
                                    .command_fd = 8}),
            (std::vector<std::string>{"--config_fd=3", "--scoreboard_fd=4", "--lifeline_fd=5",
                                      "--ready_fd=6", "--volatile_tasks_fd=7", "--command_fd=8"}));
}

TEST_F(ControlArguments, AreReadAsTheyWereWritten) {
  const absl::StatusOr<ControlDescriptors> parsed = Parse(FormatControlArguments(Open()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, Open());
}

TEST_F(ControlArguments, TheirDescriptorsAreNotForFurtherPrograms) {
  ASSERT_TRUE(Parse(FormatControlArguments(Open())).ok());
  for (const int fd : open_) EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST_F(ControlArguments, EachIsNeeded) {
  for (size_t left_out = 0; left_out < 6; ++left_out) {
    std::vector<std::string> arguments = FormatControlArguments(Open());
    const std::string name = arguments[left_out].substr(0, arguments[left_out].find('=') + 1);
    arguments.erase(arguments.begin() + static_cast<ptrdiff_t>(left_out));
    EXPECT_EQ(Error(arguments), name + "N is missing");
  }
}

TEST_F(ControlArguments, WhatIsNoneIsRefusedByName) {
  for (const std::string bad : {"--ready_fd=", "--ready_fd=x", "--ready_fd=-1", "--help", "3",
                                "--ready_fd=1000000", "--ready_fds=3"}) {
    std::vector<std::string> arguments = FormatControlArguments(Open());
    arguments.back() = bad;
    EXPECT_EQ(Error(arguments), "bad argument '" + bad + "'");
  }
}

}  // namespace
}  // namespace grove::process
