#include "server/tasks/state_lock.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

class StateLockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/lockXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  StateLock Take() {
    auto lock = StateLock::Take(dir_);
    EXPECT_TRUE(lock.ok()) << lock.status();
    return *std::move(lock);
  }

  std::string dir_;
};

TEST_F(StateLockTest, RemembersTheLastUse) {
  {
    const StateLock lock = Take();
    EXPECT_EQ(lock.LastUse().starts, 0u);
    EXPECT_TRUE(lock.LastUse().closed);
    EXPECT_TRUE(lock.Remember({.starts = 12, .closed = true}).ok());
    EXPECT_TRUE(lock.Remember({.starts = 7, .closed = false}).ok());
  }
  const StateLock lock = Take();
  EXPECT_EQ(lock.LastUse().starts, 7u);
  EXPECT_FALSE(lock.LastUse().closed);
}

TEST_F(StateLockTest, AFileThatNobodyCanReadTellsNothing) {
  std::ofstream(dir_ + "/tasks.lock") << "starts=many";
  EXPECT_EQ(Take().LastUse().starts, 0u);
}

TEST_F(StateLockTest, TakesTheLockAnewWhenItsFolderWasDeleted) {
  StateLock lock = Take();
  EXPECT_TRUE(lock.Remember({.starts = 7, .closed = false}).ok());
  std::filesystem::remove_all(dir_);
  EXPECT_TRUE(lock.Renew().ok());
  EXPECT_EQ(StateLock::Take(dir_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(lock.LastUse().starts, 7u);
}

TEST_F(StateLockTest, IsLostToWhoeverTookItMeanwhile) {
  StateLock lock = Take();
  std::filesystem::remove(dir_ + "/tasks.lock");
  const StateLock other = Take();
  EXPECT_EQ(lock.Renew().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace grove::tasks
