#include "server/supervisor/run_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove::supervisor {
namespace {

class RunFilesTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }

  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static int Mode(const std::string& path) {
    struct stat status;
    return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : -1;
  }

  const std::string root_ = ::testing::TempDir() + "/run_files";
  const std::string state_ = root_ + "/a/state";
  const std::string run_ = root_ + "/b/run";
};

TEST_F(RunFilesTest, MakesBothDirectoriesForThisUserAlone) {
  auto files = RunFiles::Open(state_, run_);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(Mode(state_), 0700);
  EXPECT_EQ(Mode(run_), 0700);
  EXPECT_EQ(Read(run_ + "/groved.pid"), absl::StrCat(getpid(), "\n"));
}

TEST_F(RunFilesTest, TakesAwayOthersRightsOnADirectoryThatIsThere) {
  std::filesystem::create_directories(run_);
  chmod(run_.c_str(), 0755);
  ASSERT_TRUE(RunFiles::Open(state_, run_).ok());
  EXPECT_EQ(Mode(run_), 0700);
}

TEST_F(RunFilesTest, RefusesASecondDaemonInEitherDirectory) {
  auto first = RunFiles::Open(state_, run_);
  ASSERT_TRUE(first.ok());
  auto same_run = RunFiles::Open(root_ + "/other", run_);
  EXPECT_EQ(same_run.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(same_run.status().message().find(run_ + "/groved.lock"), std::string::npos);
  auto same_state = RunFiles::Open(state_, root_ + "/other");
  EXPECT_EQ(same_state.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Read(run_ + "/groved.pid"), absl::StrCat(getpid(), "\n"));
}

TEST_F(RunFilesTest, TakesOneDirectoryForBoth) {
  EXPECT_TRUE(RunFiles::Open(state_, state_).ok());
}

TEST_F(RunFilesTest, RefusesAFileInADirectorysPlace) {
  std::filesystem::create_directories(root_ + "/b");
  std::ofstream(run_) << "x";
  EXPECT_FALSE(RunFiles::Open(state_, run_).ok());
}

TEST_F(RunFilesTest, RemovesWhatItWroteAndLetsTheNextOneIn) {
  {
    auto files = RunFiles::Open(state_, run_);
    ASSERT_TRUE(files->Write("http.address", "127.0.0.1:1").ok());
    EXPECT_EQ(Read(run_ + "/http.address"), "127.0.0.1:1\n");
  }
  EXPECT_FALSE(std::filesystem::exists(run_ + "/http.address"));
  EXPECT_FALSE(std::filesystem::exists(run_ + "/groved.pid"));
  EXPECT_TRUE(RunFiles::Open(state_, run_).ok());
}

TEST_F(RunFilesTest, RestoresNothingWhereAllStands) {
  auto files = RunFiles::Open(state_, run_);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(*files->Restore(), 0);
}

TEST_F(RunFilesTest, MakesRemovedFilesAnewWithTheirLastText) {
  auto files = RunFiles::Open(state_, run_);
  ASSERT_TRUE(files->Write("http.address", "127.0.0.1:1").ok());
  ASSERT_TRUE(files->Write("http.address", "127.0.0.1:2").ok());
  std::filesystem::remove(run_ + "/http.address");
  std::filesystem::remove(run_ + "/groved.pid");
  EXPECT_EQ(*files->Restore(), 2);
  EXPECT_EQ(Read(run_ + "/http.address"), "127.0.0.1:2\n");
  EXPECT_EQ(Read(run_ + "/groved.pid"), absl::StrCat(getpid(), "\n"));
  EXPECT_EQ(*files->Restore(), 0);
}

TEST_F(RunFilesTest, MakesARemovedDirectoryAnewAndKeepsOthersOut) {
  auto files = RunFiles::Open(state_, run_);
  ASSERT_TRUE(files.ok());
  std::filesystem::remove_all(root_ + "/b");
  EXPECT_EQ(*files->Restore(), 2) << "the lock and the pid";
  EXPECT_EQ(Mode(run_), 0700);
  EXPECT_TRUE(absl::IsAlreadyExists(RunFiles::Open(root_ + "/other", run_).status()));
}

TEST_F(RunFilesTest, ADirectoryThatAnotherDaemonTookIsLost) {
  auto files = RunFiles::Open(state_, run_);
  ASSERT_TRUE(files.ok());
  std::filesystem::remove(run_ + "/groved.lock");
  auto other = RunFiles::Open(root_ + "/other", run_);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_TRUE(absl::IsAlreadyExists(files->Restore().status()));
  { const RunFiles ended = *std::move(files); }
  EXPECT_TRUE(std::filesystem::exists(run_ + "/groved.pid")) << "it is the other's";
}

}  // namespace
}  // namespace grove::supervisor
