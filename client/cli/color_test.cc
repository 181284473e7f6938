#include "client/cli/color.h"

#include <gtest/gtest.h>

#include <map>

namespace grove::client::cli {
namespace {

bool Colors(const std::string& choice, bool is_terminal,
            const std::map<std::string, std::string>& variables = {}) {
  return *WantsColor(choice, is_terminal, [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(WantsColor, OnTerminalsOnly) {
  EXPECT_TRUE(Colors("auto", true));
  EXPECT_FALSE(Colors("auto", false));
}

TEST(WantsColor, NotWhereItIsRefused) {
  EXPECT_FALSE(Colors("auto", true, {{"NO_COLOR", "1"}}));
  EXPECT_TRUE(Colors("auto", true, {{"NO_COLOR", ""}}));
  EXPECT_FALSE(Colors("auto", true, {{"TERM", "dumb"}}));
  EXPECT_FALSE(Colors("never", true));
}

TEST(WantsColor, AlwaysWhereItIsAskedFor) {
  EXPECT_TRUE(Colors("always", false, {{"NO_COLOR", "1"}}));
  EXPECT_FALSE(WantsColor("sometimes", true, [](const char*) { return std::nullopt; }).ok());
}

TEST(ColoredState, TellsGoodFromBad) {
  EXPECT_EQ(ColoredState("SUCCEEDED"), "\033[32mSUCCEEDED\033[0m");
  EXPECT_EQ(ColoredState("STUCK"), "\033[31mSTUCK\033[0m");
  EXPECT_EQ(ColoredState("QUEUED"), "QUEUED");
}

}  // namespace
}  // namespace grove::client::cli
