#include "server/process/control_arguments.h"

#include "gtest/gtest.h"

namespace grove::process {
namespace {

TEST(ControlArguments, NamesEveryDescriptor) {
  EXPECT_EQ(ControlArguments({.config_fd = 3, .scoreboard_fd = 4, .lifeline_fd = 5, .ready_fd = 6}),
            (std::vector<std::string>{"--config_fd=3", "--scoreboard_fd=4", "--lifeline_fd=5",
                                      "--ready_fd=6"}));
}

}  // namespace
}  // namespace grove::process
