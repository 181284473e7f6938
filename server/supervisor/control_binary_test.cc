#include "server/supervisor/control_binary.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove::supervisor {
namespace {

class FindControl : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ + "/bin/sub");
    std::filesystem::create_directories(root_ + "/path");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string MakeProgram(const std::string& name, mode_t mode = 0755) {
    std::string path = absl::StrCat(root_, "/", name);
    std::ofstream(path) << "#!/bin/sh\n";
    chmod(path.c_str(), mode);
    return path;
  }
  std::string Find(const std::string& wish = "") {
    auto found = FindControlBinary(wish, root_ + "/bin/sub/ticker", "/nowhere:" + root_ + "/path");
    return found.ok() ? *found : std::string(found.status().message());
  }

  const std::string root_ = ::testing::TempDir() + "/find_control";
};

TEST_F(FindControl, PrefersTheFoldersOfTheDaemonOverThePath) {
  const std::string in_path = MakeProgram("path/grove-control");
  EXPECT_EQ(Find(), in_path);
  const std::string above = MakeProgram("bin/grove-control");
  EXPECT_EQ(Find(), above);
  const std::string beside = MakeProgram("bin/sub/grove-control");
  EXPECT_EQ(Find(), beside);
}

TEST_F(FindControl, TakesTheFlagAlone) {
  MakeProgram("bin/sub/grove-control");
  const std::string mine = MakeProgram("mine");
  EXPECT_EQ(Find(mine), mine);
  EXPECT_EQ(Find(root_ + "/absent"),
            absl::StrCat("--control_binary=", root_, "/absent is not an executable file"));
}

TEST_F(FindControl, SaysWhereItLooked) {
  EXPECT_EQ(Find(), absl::StrCat("cannot find grove-control (looked for ", root_,
                                 "/bin/sub/grove-control, ", root_, "/bin/grove-control, ",
                                 "/nowhere/grove-control, ", root_,
                                 "/path/grove-control); name it with --control_binary"));
}

}  // namespace
}  // namespace grove::supervisor
