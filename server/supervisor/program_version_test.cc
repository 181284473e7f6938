#include "server/supervisor/program_version.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "gmock/gmock.h"

namespace grove::supervisor {
namespace {

absl::StatusOr<std::string> Ask(const std::string& script) {
  const std::string path = testing::TempDir() + "/program";
  unlink(path.c_str());
  std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
  chmod(path.c_str(), 0700);
  return AskVersion(path);
}

TEST(AskVersion, IsTheFirstLine) {
  EXPECT_EQ(Ask("echo \"$1 of $#\"; echo more").value_or("none"), "--version of 1");
}

TEST(AskVersion, WhoFailsHasNone) {
  EXPECT_THAT(std::string(Ask("echo 1; exit 3").status().message()),
              ::testing::HasSubstr("--version: exit code 3"));
  EXPECT_FALSE(Ask("exit 0").ok());
  EXPECT_FALSE(Ask("printf unfinished").ok());
  EXPECT_EQ(AskVersion("/no/such/program").status().code(), absl::StatusCode::kNotFound);
}

TEST(AskVersion, WhoSaysTooMuchIsCutOff) {
  EXPECT_FALSE(Ask("tr '\\0' x < /dev/zero").ok());
}

}  // namespace
}  // namespace grove::supervisor
